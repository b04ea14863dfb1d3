// y = a * w (+ extension) with register blocking and no workgroup memory: matrix products and convolutions.
//
// A workgroup is LANES invocations, LANES_X of them side by side. Each makes ROWS neighbouring rows by QUADS vec4s of
// columns, LANES_X vec4s apart. On CPU rasterizers a load costs as much as dozens of multiply-adds, however its
// addresses are spread, so what counts is how many products each loaded value takes part in. Sizes ending in 4 count
// vec4s.
//
//   NN       weights are [reduction][columns]; otherwise [columns][reduction]
//   F16      weights are packed pairs of f16
//   CONV     rows are pixels of an NHWC image, the reduction is (tap, channel)
//   DX       with CONV: gradient, i.e. rows are input pixels by stride class, `a` is the output gradient
//   SHARE    a subgroup is the workgroup and its lanes hold the same rows: each loads one row and the others get it
//            by broadcast
//   EXT      a second, short reduction over `ea` * `ew` (adapters)
//
// Columns come in groups of p.groupCols, so that a tile never straddles two groups; group g reads `a` and `w` from
// g * p.aGroup4 / g * p.wGroup4 on, and `ea` from g * p.eaGroup4 on.
//#if SHARE
//! enable subgroups
//#endif
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
fn main(
  @builtin(workgroup_id) wg: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  //#if SHARE
  @builtin(subgroup_invocation_id) lane: u32,
  //#else
  @builtin(local_invocation_index) lane: u32,
  //#endif
) {
  let tile = wg.y * grid.x + wg.x;
  let rowTile = tile / p.colTiles;
  let colTile = tile % p.colTiles;
  if (rowTile >= p.rowTiles) { return; }
  let group = colTile / p.groupTiles;
  // First row of the lane's block in the tile, and the rows that it loads from there.
  //#if SHARE
  let laneRow = 0u;
  let loadRow = lane % $ROWS;
  //#else
  let laneRow = lane / $LANES_X * $ROWS;
  let loadRow = 0u;
  //#endif
  //#for q QUADS
  let groupCol$q = (colTile % p.groupTiles) * $(LANES_X * QUADS) + $(LANES_X * q) + lane % $LANES_X;
  let wCol$q = min(groupCol$q, p.groupCols4 - 1);
  let col$q = group * p.groupCols4 + wCol$q;
  //#for i ROWS
  var acc$(i)_$q = vec4<f32>(0.0);
  //#endfor
  //#endfor

  //#if CONV
  //#if DX
  let class_ = i32(rowTile / p.classTiles);
  let classY = class_ / p.stride;
  let classX = class_ % p.stride;
  let gridH = (p.targetH - u32(classY) + u32(p.stride) - 1) / u32(p.stride);
  let gridW = (p.targetW - u32(classX) + u32(p.stride) - 1) / u32(p.stride);
  let rows = p.rows / (p.targetH * p.targetW) * gridH * gridW;
  let row = (rowTile % p.classTiles) * $(LANES / LANES_X * ROWS) + laneRow;
  if (row >= rows) { return; }
  //#else
  let gridH = p.gridH;
  let gridW = p.gridW;
  let rows = p.rows;
  let row = rowTile * $(LANES / LANES_X * ROWS) + laneRow;
  //#endif
  //#for i LOADS
  let load$i = min(row + loadRow + $i, rows - 1);
  let image$i = load$i / (gridH * gridW);
  let gy$i = i32(load$i / gridW % gridH);
  let gx$i = i32(load$i % gridW);
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
    //#for i LOADS
    let sy$i = gy$i * step + offY;
    let sx$i = gx$i * step + offX;
    // A negative coordinate is a huge unsigned one. No `&&`: each is a branch, and SwiftShader compiles
    // eight rows of them a hundred times as long.
    let ok$i = (u32(sy$i) < u32(p.sourceH)) & (u32(sx$i) < u32(p.sourceW));
    let at$i = select(0u, ((image$i * u32(p.sourceH) + u32(sy$i)) * u32(p.sourceW) + u32(sx$i)) * p.aStride4, ok$i);
    let keep$i = select(0.0, 1.0, ok$i);
    //#endfor
    //#if NN
    let wStep = taps * p.cols4;
    //#for q QUADS
    let wAt$q = tap * p.cols4 + col$q;
    //#endfor
    //#else
    let wStep = taps * p.red4;
    //#for q QUADS
    let wAt$q = col$q * 4 * wStep + tap * p.red4;
    //#endfor
    //#endif
  //#else
  let row = rowTile * $(LANES / LANES_X * ROWS) + laneRow;
  let rows = p.rows;
  //#for i LOADS
  let load$i = min(row + loadRow + $i, rows - 1);
  let at$i = load$i * p.aStride4 + group * p.aGroup4;
  //#endfor
  {
    //#if NN
    let wStep = p.groupCols4;
    //#for q QUADS
    let wAt$q = group * p.wGroup4 + wCol$q;
    //#endfor
    //#else
    let wStep = p.red4;
    //#for q QUADS
    let wAt$q = col$q * 4 * wStep;
    //#endfor
    //#endif
  //#endif
    for (var k = 0u; k < p.red4; k++) {
      //#for i LOADS
      //#if CONV
      let own$i = a[at$i + k] * keep$i;
      //#else
      let own$i = a[at$i + k];
      //#endif
      //#endfor
      //#for i ROWS
      //#if SHARE
      let a$i = subgroupBroadcast(own0, $i);
      //#else
      let a$i = own$i;
      //#endif
      //#endfor
      //#for q QUADS
      //#if NN
      let b0_$q = weight(wAt$q + (k * 4) * wStep);
      let b1_$q = weight(wAt$q + (k * 4 + 1) * wStep);
      let b2_$q = weight(wAt$q + (k * 4 + 2) * wStep);
      let b3_$q = weight(wAt$q + (k * 4 + 3) * wStep);
      //#else
      let c0_$q = weight(wAt$q + k);
      let c1_$q = weight(wAt$q + wStep + k);
      let c2_$q = weight(wAt$q + wStep * 2 + k);
      let c3_$q = weight(wAt$q + wStep * 3 + k);
      let b0_$q = vec4(c0_$q.x, c1_$q.x, c2_$q.x, c3_$q.x);
      let b1_$q = vec4(c0_$q.y, c1_$q.y, c2_$q.y, c3_$q.y);
      let b2_$q = vec4(c0_$q.z, c1_$q.z, c2_$q.z, c3_$q.z);
      let b3_$q = vec4(c0_$q.w, c1_$q.w, c2_$q.w, c3_$q.w);
      //#endif
      //#for i ROWS
      acc$(i)_$q = fma(vec4(a$i.w), b3_$q, fma(vec4(a$i.z), b2_$q, fma(vec4(a$i.y), b1_$q, fma(vec4(a$i.x), b0_$q, acc$(i)_$q))));
      //#endfor
      //#endfor
    }
  }

  //#if EXT
  for (var k = 0u; k < p.extRed4; k++) {
    //#for i LOADS
    let own$i = ea[load$i * p.eaStride4 + group * p.eaGroup4 + k];
    //#endfor
    //#for i ROWS
    //#if SHARE
    let a$i = subgroupBroadcast(own0, $i);
    //#else
    let a$i = own$i;
    //#endif
    //#endfor
    //#for q QUADS
    //#if NN
    let b0_$q = ew[(k * 4) * p.cols4 + col$q];
    let b1_$q = ew[(k * 4 + 1) * p.cols4 + col$q];
    let b2_$q = ew[(k * 4 + 2) * p.cols4 + col$q];
    let b3_$q = ew[(k * 4 + 3) * p.cols4 + col$q];
    //#else
    let c0_$q = ew[col$q * 4 * p.extRed4 + k];
    let c1_$q = ew[(col$q * 4 + 1) * p.extRed4 + k];
    let c2_$q = ew[(col$q * 4 + 2) * p.extRed4 + k];
    let c3_$q = ew[(col$q * 4 + 3) * p.extRed4 + k];
    let b0_$q = vec4(c0_$q.x, c1_$q.x, c2_$q.x, c3_$q.x);
    let b1_$q = vec4(c0_$q.y, c1_$q.y, c2_$q.y, c3_$q.y);
    let b2_$q = vec4(c0_$q.z, c1_$q.z, c2_$q.z, c3_$q.z);
    let b3_$q = vec4(c0_$q.w, c1_$q.w, c2_$q.w, c3_$q.w);
    //#endif
    //#for i ROWS
    acc$(i)_$q = fma(vec4(a$i.w), b3_$q, fma(vec4(a$i.z), b2_$q, fma(vec4(a$i.y), b1_$q, fma(vec4(a$i.x), b0_$q, acc$(i)_$q))));
    //#endfor
    //#endfor
  }
  //#endif

  //#for q QUADS
  if (groupCol$q < p.groupCols4) {
    //#if BIAS
    let shift = bias[col$q];
    //#else
    let shift = vec4<f32>(0.0);
    //#endif
    //#for i ROWS
    if (row + $i < rows) {
      let m = row + $i;
      //#if CONV
      let image = m / (gridH * gridW);
      //#endif
      //#if DX
      let pixelY = m / gridW % gridH * u32(p.stride) + u32(classY);
      let pixelX = m % gridW * u32(p.stride) + u32(classX);
      let at = ((image * p.targetH + pixelY) * p.targetW + pixelX) * p.cols4 + col$q;
      //#else
      let at = m * p.cols4 + col$q;
      //#endif
      var value = acc$(i)_$q * p.scale + shift;
      //#if ROWBIAS
      value += rowBias[image * p.rowBiasStride4 + p.rowBiasOffset4 + col$q];
      //#endif
      //#if ADDEND
      value += addend[at];
      //#endif
      y[at] = value;
    }
    //#endfor
  }
  //#endfor
}
