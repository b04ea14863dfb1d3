// y = a * w (+ extension) with tiles staged in workgroup memory: matrix products and convolutions. Same parameters
// and meaning as gemm-direct.wgsl.
//
// A workgroup of TX x TY threads makes TILE_M rows by TILE_N columns. Per step over TILE_K of the reduction both
// operands are copied to workgroup memory: `tileA` as [row][k], `tileB` as [k][column] (weights that are stored
// [column][k] are turned in 4x4 blocks on the way). A thread owns every TY-th row and every TX-th vec4 of columns.
// Rows of a tile are one vec4 longer than needed, which spreads them over the memory banks.
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

const strideA = $(TILE_K / 4 + 1)u;
const strideB = $(TILE_N / 4 + 1)u;
var<workgroup> tileA: array<vec4<f32>, $(TILE_M * (TILE_K / 4 + 1))>;
var<workgroup> tileB: array<vec4<f32>, $(TILE_K * (TILE_N / 4 + 1))>;

fn weight(i: u32) -> vec4<f32> {
  //#if F16
  let packed = w[i];
  return vec4(unpack2x16float(packed.x), unpack2x16float(packed.y));
  //#else
  return w[i];
  //#endif
}

@compute @workgroup_size($(TX * TY))
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tile = wg.y * grid.x + wg.x;
  let rowTile = tile / p.colTiles;
  let colTile = tile % p.colTiles;
  if (rowTile >= p.rowTiles) { return; }
  let group = colTile / p.groupTiles;
  let tileCol4 = (colTile % p.groupTiles) * $(TILE_N / 4);
  let tx = lane % $TX;
  let ty = lane / $TX;

  //#for i TILE_M / TY
  //#for j TILE_N / TX / 4
  var acc$(i)_$j = vec4<f32>(0.0);
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
  let row = (rowTile % p.classTiles) * $TILE_M;
  if (row >= rows) { return; }
  //#else
  let gridH = p.gridH;
  let gridW = p.gridW;
  let rows = p.rows;
  let row = rowTile * $TILE_M;
  //#endif
  //#else
  let rows = p.rows;
  let row = rowTile * $TILE_M;
  //#endif

  // What this thread copies: vec4 number k of TILE_M * TILE_K / 4 / threads rows of A...
  let fillK = lane % $(TILE_K / 4);
  //#for i (TILE_M * (TILE_K / 4) + TX * TY - 1) / (TX * TY)
  let fillRow$i = lane / $(TILE_K / 4) + $(i * TX * TY * 4 / TILE_K);
  let fillM$i = min(row + fillRow$i, rows - 1);
  //#endfor

  //#if CONV
  //#for i (TILE_M * (TILE_K / 4) + TX * TY - 1) / (TX * TY)
  let image$i = fillM$i / (gridH * gridW);
  let gy$i = i32(fillM$i / gridW % gridH);
  let gx$i = i32(fillM$i % gridW);
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
    //#for i (TILE_M * (TILE_K / 4) + TX * TY - 1) / (TX * TY)
    let sy$i = gy$i * step + offY;
    let sx$i = gx$i * step + offX;
    // A negative coordinate is a huge unsigned one.
    let ok$i = (u32(sy$i) < u32(p.sourceH)) & (u32(sx$i) < u32(p.sourceW));
    let at$i = select(0u, ((image$i * u32(p.sourceH) + u32(sy$i)) * u32(p.sourceW) + u32(sx$i)) * p.aStride4, ok$i);
    //#endfor
    //#if NN
    let wStep = taps * p.cols4;
    let wAt = tap * p.cols4;
    //#else
    let wStep = taps * p.red4;
    let wAt = tap * p.red4;
    //#endif
  //#else
  //#for i (TILE_M * (TILE_K / 4) + TX * TY - 1) / (TX * TY)
  let at$i = fillM$i * p.aStride4 + group * p.aGroup4;
  const ok$i = true;
  //#endfor
  {
    //#if NN
    let wStep = p.groupCols4;
    let wAt = group * p.wGroup4;
    //#else
    let wStep = p.red4;
    let wAt = group * p.groupCols4 * 4 * wStep;
    //#endif
  //#endif
    for (var k = 0u; k < p.red4; k += $(TILE_K / 4)) {
      //#for i (TILE_M * (TILE_K / 4) + TX * TY - 1) / (TX * TY)
      if (fillRow$i < $TILE_M) {
        var value = vec4<f32>(0.0);
        if (ok$i && k + fillK < p.red4) { value = a[at$i + k + fillK]; }
        tileA[fillRow$i * strideA + fillK] = value;
      }
      //#endfor
      //#if NN
      for (var i = lane; i < $(TILE_K * (TILE_N / 4)); i += $(TX * TY)) {
        let c4 = i % $(TILE_N / 4);
        let r = i / $(TILE_N / 4);
        var value = vec4<f32>(0.0);
        if (k * 4 + r < p.red4 * 4 && tileCol4 + c4 < p.groupCols4) {
          value = weight(wAt + (k * 4 + r) * wStep + tileCol4 + c4);
        }
        tileB[r * strideB + c4] = value;
      }
      //#else
      for (var i = lane; i < $(TILE_K / 4 * (TILE_N / 4)); i += $(TX * TY)) {
        let r4 = i % $(TILE_K / 4);
        let c4 = i / $(TILE_K / 4);
        var c0 = vec4<f32>(0.0);
        var c1 = c0;
        var c2 = c0;
        var c3 = c0;
        if (k + r4 < p.red4 && tileCol4 + c4 < p.groupCols4) {
          let at = wAt + (tileCol4 + c4) * 4 * wStep + k + r4;
          c0 = weight(at);
          c1 = weight(at + wStep);
          c2 = weight(at + wStep * 2);
          c3 = weight(at + wStep * 3);
        }
        tileB[(r4 * 4) * strideB + c4] = vec4(c0.x, c1.x, c2.x, c3.x);
        tileB[(r4 * 4 + 1) * strideB + c4] = vec4(c0.y, c1.y, c2.y, c3.y);
        tileB[(r4 * 4 + 2) * strideB + c4] = vec4(c0.z, c1.z, c2.z, c3.z);
        tileB[(r4 * 4 + 3) * strideB + c4] = vec4(c0.w, c1.w, c2.w, c3.w);
      }
      //#endif
      workgroupBarrier();
      for (var kk = 0u; kk < $(TILE_K / 4); kk++) {
        //#for i TILE_M / TY
        let a$i = tileA[(ty + $(i * TY)) * strideA + kk];
        //#endfor
        //#for j TILE_N / TX / 4
        let b0_$j = tileB[(kk * 4) * strideB + tx + $(j * TX)];
        let b1_$j = tileB[(kk * 4 + 1) * strideB + tx + $(j * TX)];
        let b2_$j = tileB[(kk * 4 + 2) * strideB + tx + $(j * TX)];
        let b3_$j = tileB[(kk * 4 + 3) * strideB + tx + $(j * TX)];
        //#for i TILE_M / TY
        acc$(i)_$j = fma(vec4(a$i.w), b3_$j, fma(vec4(a$i.z), b2_$j, fma(vec4(a$i.y), b1_$j, fma(vec4(a$i.x), b0_$j, acc$(i)_$j))));
        //#endfor
        //#endfor
      }
      workgroupBarrier();
    }
  }

  // The extension is short (a rank), so it goes straight from memory.
  //#for j TILE_N / TX / 4
  let groupCol4_$j = tileCol4 + tx + $(j * TX);
  let col4_$j = group * p.groupCols4 + min(groupCol4_$j, p.groupCols4 - 1);
  //#endfor
  //#for i TILE_M / TY
  let m$i = min(row + ty + $(i * TY), rows - 1);
  //#endfor
  //#if EXT
  for (var k = 0u; k < p.extRed4; k++) {
    //#for i TILE_M / TY
    let a$i = ea[m$i * p.eaStride4 + group * p.eaGroup4 + k];
    //#endfor
    //#for j TILE_N / TX / 4
    {
      //#if NN
      let b0 = ew[(k * 4) * p.cols4 + col4_$j];
      let b1 = ew[(k * 4 + 1) * p.cols4 + col4_$j];
      let b2 = ew[(k * 4 + 2) * p.cols4 + col4_$j];
      let b3 = ew[(k * 4 + 3) * p.cols4 + col4_$j];
      //#else
      let c0 = ew[col4_$j * 4 * p.extRed4 + k];
      let c1 = ew[(col4_$j * 4 + 1) * p.extRed4 + k];
      let c2 = ew[(col4_$j * 4 + 2) * p.extRed4 + k];
      let c3 = ew[(col4_$j * 4 + 3) * p.extRed4 + k];
      let b0 = vec4(c0.x, c1.x, c2.x, c3.x);
      let b1 = vec4(c0.y, c1.y, c2.y, c3.y);
      let b2 = vec4(c0.z, c1.z, c2.z, c3.z);
      let b3 = vec4(c0.w, c1.w, c2.w, c3.w);
      //#endif
      //#for i TILE_M / TY
      acc$(i)_$j = fma(vec4(a$i.w), b3, fma(vec4(a$i.z), b2, fma(vec4(a$i.y), b1, fma(vec4(a$i.x), b0, acc$(i)_$j))));
      //#endfor
    }
    //#endfor
  }
  //#endif

  //#for j TILE_N / TX / 4
  if (groupCol4_$j < p.groupCols4) {
    //#if BIAS
    let shift = bias[col4_$j];
    //#else
    let shift = vec4<f32>(0.0);
    //#endif
    //#for i TILE_M / TY
    if (row + ty + $(i * TY) < rows) {
      //#if CONV
      let image = m$i / (gridH * gridW);
      //#endif
      //#if DX
      let pixelY = m$i / gridW % gridH * u32(p.stride) + u32(classY);
      let pixelX = m$i % gridW * u32(p.stride) + u32(classX);
      let at = ((image * p.targetH + pixelY) * p.targetW + pixelX) * p.cols4 + col4_$j;
      //#else
      let at = m$i * p.cols4 + col4_$j;
      //#endif
      var value = acc$(i)_$j * p.scale + shift;
      //#if ROWBIAS
      value += rowBias[image * p.rowBiasStride4 + p.rowBiasOffset4 + col4_$j];
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
