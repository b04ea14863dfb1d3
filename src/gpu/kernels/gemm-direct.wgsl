// y = a * w (+ extension) with register blocking and no workgroup memory: matrix products and convolutions.
//
// One workgroup makes ROWS rows by $(LANES * 4) columns; a lane owns 4 neighbouring columns of every row. Row
// addresses depend on the workgroup only, which CPU rasterizers turn into one scalar load and a broadcast; only
// weights differ between lanes. Sizes ending in 4 count vec4s.
//
//   NN       weights are [reduction][columns]; otherwise [columns][reduction]
//   F16      weights are packed pairs of f16
//   CONV     rows are pixels of an NHWC image, the reduction is (tap, channel)
//   DX       with CONV: gradient, i.e. rows are input pixels by stride class, `a` is the output gradient
//   EXT      a second, short reduction over `ea` * `ew` (adapters)
//
// Columns come in groups of p.groupCols, so that a tile never straddles two groups; group g reads `a` and `w` from
// g * p.aGroup4 / g * p.wGroup4 on, and `ea` from g * p.eaGroup4 on.
//! read a: array<vec4<f32>>
//#if F16
//! read w: array<vec2<u32>>
//#else
//! read w: array<vec4<f32>>
//#endif
//#if EXT
//! read ea: array<vec4<f32>>
//! read ew: array<vec4<f32>>
//#endif
//#if BIAS
//! read bias: array<vec4<f32>>
//#endif
//#if ROWBIAS
//! read rowBias: array<vec4<f32>>
//#endif
//#if ADDEND
//! read addend: array<vec4<f32>>
//#endif
//! write y: array<vec4<f32>>
//! params rows: u32, cols4: u32, red4: u32, rowTiles: u32, colTiles: u32, groupCols4: u32, groupTiles: u32
//! params aStride4: u32, aGroup4: u32, wGroup4: u32, scale: f32
//! params extRed4: u32, eaStride4: u32, eaGroup4: u32
//#if CONV
//! params sourceH: i32, sourceW: i32, gridH: u32, gridW: u32, targetH: u32, targetW: u32
//! params kernelH: u32, kernelW: u32, stride: i32, padTop: i32, padLeft: i32, classTiles: u32
//! params rowBiasStride4: u32, rowBiasOffset4: u32
//#endif

fn weight(i: u32) -> vec4<f32> {
  //#if F16
  let packed = w[i];
  return vec4(unpack2x16float(packed.x), unpack2x16float(packed.y));
  //#else
  return w[i];
  //#endif
}

@compute @workgroup_size($LANES)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tile = wg.y * grid.x + wg.x;
  let rowTile = tile / p.colTiles;
  let colTile = tile % p.colTiles;
  if (rowTile >= p.rowTiles) { return; }
  let group = colTile / p.groupTiles;
  let groupCol4 = (colTile % p.groupTiles) * $LANES + lane;
  let wCol4 = min(groupCol4, p.groupCols4 - 1);
  let col4 = group * p.groupCols4 + wCol4;

  //#for i ROWS
  var acc$i = vec4<f32>(0.0);
  //#endfor

  //#if CONV
  //#if DX
  let class_ = i32(rowTile / p.classTiles);
  let classY = class_ / p.stride;
  let classX = class_ % p.stride;
  let gridH = (p.targetH - u32(classY) + u32(p.stride) - 1) / u32(p.stride);
  let gridW = (p.targetW - u32(classX) + u32(p.stride) - 1) / u32(p.stride);
  let rows = p.rows / (p.targetH * p.targetW) * gridH * gridW;
  let row = (rowTile % p.classTiles) * $ROWS;
  if (row >= rows) { return; }
  //#else
  let gridH = p.gridH;
  let gridW = p.gridW;
  let rows = p.rows;
  let row = rowTile * $ROWS;
  //#endif
  //#for i ROWS
  let m$i = min(row + $i, rows - 1);
  let image$i = m$i / (gridH * gridW);
  let gy$i = i32(m$i / gridW % gridH);
  let gx$i = i32(m$i % gridW);
  //#endfor
  let taps = p.kernelH * p.kernelW;
  for (var tap = 0u; tap < taps; tap++) {
    //#if DX
    let toY = classY + p.padTop - i32(tap / p.kernelW);
    let toX = classX + p.padLeft - i32(tap % p.kernelW);
    if (toY % p.stride != 0 || toX % p.stride != 0) { continue; }
    let offY = toY / p.stride;
    let offX = toX / p.stride;
    let step = 1;
    //#else
    let offY = i32(tap / p.kernelW) - p.padTop;
    let offX = i32(tap % p.kernelW) - p.padLeft;
    let step = p.stride;
    //#endif
    //#for i ROWS
    let sy$i = gy$i * step + offY;
    let sx$i = gx$i * step + offX;
    let ok$i = sy$i >= 0 && sy$i < p.sourceH && sx$i >= 0 && sx$i < p.sourceW;
    let at$i = select(0u, ((image$i * u32(p.sourceH) + u32(sy$i)) * u32(p.sourceW) + u32(sx$i)) * p.aStride4, ok$i);
    let keep$i = select(0.0, 1.0, ok$i);
    //#endfor
    //#if NN
    let wStep = taps * p.cols4;
    let wAt = tap * p.cols4 + col4;
    //#else
    let wStep = taps * p.red4;
    let wAt = col4 * 4 * wStep + tap * p.red4;
    //#endif
  //#else
  let row = rowTile * $ROWS;
  let rows = p.rows;
  //#for i ROWS
  let m$i = min(row + $i, rows - 1);
  let at$i = m$i * p.aStride4 + group * p.aGroup4;
  //#endfor
  {
    //#if NN
    let wStep = p.groupCols4;
    let wAt = group * p.wGroup4 + wCol4;
    //#else
    let wStep = p.red4;
    let wAt = col4 * 4 * wStep;
    //#endif
  //#endif
    for (var k = 0u; k < p.red4; k++) {
      //#if NN
      let b0 = weight(wAt + (k * 4) * wStep);
      let b1 = weight(wAt + (k * 4 + 1) * wStep);
      let b2 = weight(wAt + (k * 4 + 2) * wStep);
      let b3 = weight(wAt + (k * 4 + 3) * wStep);
      //#else
      let c0 = weight(wAt + k);
      let c1 = weight(wAt + wStep + k);
      let c2 = weight(wAt + wStep * 2 + k);
      let c3 = weight(wAt + wStep * 3 + k);
      let b0 = vec4(c0.x, c1.x, c2.x, c3.x);
      let b1 = vec4(c0.y, c1.y, c2.y, c3.y);
      let b2 = vec4(c0.z, c1.z, c2.z, c3.z);
      let b3 = vec4(c0.w, c1.w, c2.w, c3.w);
      //#endif
      //#for i ROWS
      //#if CONV
      let a$i = a[at$i + k] * keep$i;
      //#else
      let a$i = a[at$i + k];
      //#endif
      acc$i = fma(vec4(a$i.w), b3, fma(vec4(a$i.z), b2, fma(vec4(a$i.y), b1, fma(vec4(a$i.x), b0, acc$i))));
      //#endfor
    }
  }

  //#if EXT
  for (var k = 0u; k < p.extRed4; k++) {
    //#if NN
    let b0 = ew[(k * 4) * p.cols4 + col4];
    let b1 = ew[(k * 4 + 1) * p.cols4 + col4];
    let b2 = ew[(k * 4 + 2) * p.cols4 + col4];
    let b3 = ew[(k * 4 + 3) * p.cols4 + col4];
    //#else
    let c0 = ew[col4 * 4 * p.extRed4 + k];
    let c1 = ew[(col4 * 4 + 1) * p.extRed4 + k];
    let c2 = ew[(col4 * 4 + 2) * p.extRed4 + k];
    let c3 = ew[(col4 * 4 + 3) * p.extRed4 + k];
    let b0 = vec4(c0.x, c1.x, c2.x, c3.x);
    let b1 = vec4(c0.y, c1.y, c2.y, c3.y);
    let b2 = vec4(c0.z, c1.z, c2.z, c3.z);
    let b3 = vec4(c0.w, c1.w, c2.w, c3.w);
    //#endif
    //#for i ROWS
    let a$i = ea[m$i * p.eaStride4 + group * p.eaGroup4 + k];
    acc$i = fma(vec4(a$i.w), b3, fma(vec4(a$i.z), b2, fma(vec4(a$i.y), b1, fma(vec4(a$i.x), b0, acc$i))));
    //#endfor
  }
  //#endif

  if (groupCol4 >= p.groupCols4) { return; }
  //#if BIAS
  let shift = bias[col4];
  //#else
  let shift = vec4<f32>(0.0);
  //#endif
  //#for i ROWS
  if (row + $i < rows) {
    //#if DX
    let pixel = (image$i * p.targetH + u32(gy$i * p.stride + classY)) * p.targetW + u32(gx$i * p.stride + classX);
    let at = pixel * p.cols4 + col4;
    //#else
    let at = m$i * p.cols4 + col4;
    //#endif
    var value = acc$i * p.scale + shift;
    //#if ROWBIAS
    value += rowBias[image$i * p.rowBiasStride4 + p.rowBiasOffset4 + col4];
    //#endif
    //#if ADDEND
    value += addend[at];
    //#endif
    y[at] = value;
  }
  //#endfor
}
