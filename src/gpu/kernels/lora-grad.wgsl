// Adapter gradients, both in one dispatch: down[i][k] += sum_m dh[m][i] x[m][k], up[n][i] += sum_m dy[m][n] h[m][i].
//
// A workgroup makes RANK adapter rows by $(LANES * 4) columns of x or dy, over one chunk of the rows m. Its SLICES
// slices of LANES threads take turns on the rows and are summed in a fixed order. With SPLIT the chunks' results go
// to `partial` (down, then up, per chunk) for lora-grad-sum.wgsl.
//
//   DOWN, UP   which gradients are wanted
//   REPLACE    down becomes the sum instead of being added to
//   CONV       x is maps [B, H, W, k]; row m of dh is a pixel of a convolution's output, and down[i][tap][k] sums the
//              pixels of x that the tap meets
//#if DOWN
//! read x: array<vec4<f32>>
//! read dh: array<vec4<f32>>
//#endif
//#if UP
//! read dy: array<vec4<f32>>
//! read h: array<vec4<f32>>
//#endif
//#if SPLIT
//! write partials: array<vec4<f32>>
//#else
//#if DOWN
//! write down: array<vec4<f32>>
//#endif
//#if UP
//! write up: array<vec4<f32>>
//#endif
//#endif
//! params rows: u32, chunkRows: u32, chunks: u32, rank4: u32, groups: u32, k4: u32, n4: u32
//! params downUnits: u32, units: u32, down4: u32, total4: u32
//#if CONV
//! params taps: u32, sourceH: u32, sourceW: u32, gridH: u32, gridW: u32, kernelW: u32, stride: i32, padTop: i32, padLeft: i32
//#endif

//#if SLICED
var<workgroup> sums: array<vec4<f32>, $(LANES * SLICES * 4)>;
//#endif

//#if SPLIT
fn emitDown(chunk: u32, i: u32, value: vec4<f32>) { partials[chunk * p.total4 + i] = value; }
fn emitUp(chunk: u32, i: u32, value: vec4<f32>) { partials[chunk * p.total4 + p.down4 + i] = value; }
//#else
//#if DOWN
//#if REPLACE
fn emitDown(chunk: u32, i: u32, value: vec4<f32>) { down[i] = value; }
//#else
fn emitDown(chunk: u32, i: u32, value: vec4<f32>) { down[i] += value; }
//#endif
//#endif
//#if UP
fn emitUp(chunk: u32, i: u32, value: vec4<f32>) { up[i] += value; }
//#endif
//#endif

@compute @workgroup_size($(LANES * SLICES))
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let job = wg.y * grid.x + wg.x;
  let chunk = job / p.units;
  let unit = job % p.units;
  if (chunk >= p.chunks) { return; }
  let lane = thread % $LANES;
  let slice = thread / $LANES;
  let start = chunk * p.chunkRows;
  let end = min(start + p.chunkRows, p.rows);
  //#for i RANK
  var acc$i = vec4<f32>(0.0);
  //#endfor
  let isDown = unit < p.downUnits;
  // Width in vec4s of the small operand: all groups' ranks side by side.
  let width4 = p.groups * p.rank4;
  var rankAt4 = 0u;
  var col4 = 0u;
  var inside = false;

  if (isDown) {
    //#if DOWN
    let colTiles = (p.k4 + $(LANES - 1)) / $LANES;
    //#if CONV
    rankAt4 = unit / (colTiles * p.taps) * $(RANK / 4);
    let tap = unit / colTiles % p.taps;
    let offY = i32(tap / p.kernelW) - p.padTop;
    let offX = i32(tap % p.kernelW) - p.padLeft;
    //#else
    rankAt4 = unit / colTiles * $(RANK / 4);
    //#endif
    col4 = unit % colTiles * $LANES + lane;
    inside = col4 < p.k4;
    let at = min(col4, p.k4 - 1);
    //#if SLICED
    for (var m = start + slice; m < end; m += $SLICES) {
    //#else
    for (var m = start; m < end; m++) {
    //#endif
      //#if CONV
      // A negative coordinate is a huge unsigned one.
      let sy = u32(i32(m / p.gridW % p.gridH) * p.stride + offY);
      let sx = u32(i32(m % p.gridW) * p.stride + offX);
      let ok = (sy < p.sourceH) & (sx < p.sourceW);
      let pixel = select(0u, (m / (p.gridH * p.gridW) * p.sourceH + sy) * p.sourceW + sx, ok);
      let s = x[pixel * p.k4 + at] * select(0.0, 1.0, ok);
      //#else
      let s = x[m * p.k4 + at];
      //#endif
      //#for q RANK / 4
      let t$q = dh[m * width4 + rankAt4 + $q];
      acc$(q * 4) = fma(vec4(t$q.x), s, acc$(q * 4));
      acc$(q * 4 + 1) = fma(vec4(t$q.y), s, acc$(q * 4 + 1));
      acc$(q * 4 + 2) = fma(vec4(t$q.z), s, acc$(q * 4 + 2));
      acc$(q * 4 + 3) = fma(vec4(t$q.w), s, acc$(q * 4 + 3));
      //#endfor
    }
    //#endif
  } else {
    //#if UP
    let groupCols4 = p.n4 / p.groups;
    let colTiles = (groupCols4 + $(LANES - 1)) / $LANES;
    let group = (unit - p.downUnits) / (colTiles * (p.rank4 / $(RANK / 4)));
    rankAt4 = (unit - p.downUnits) / colTiles % (p.rank4 / $(RANK / 4)) * $(RANK / 4);
    col4 = (unit - p.downUnits) % colTiles * $LANES + lane;
    inside = col4 < groupCols4;
    col4 = group * groupCols4 + min(col4, groupCols4 - 1);
    //#if SLICED
    for (var m = start + slice; m < end; m += $SLICES) {
    //#else
    for (var m = start; m < end; m++) {
    //#endif
      let s = dy[m * p.n4 + col4];
      //#for q RANK / 4
      let t$q = h[m * width4 + group * p.rank4 + rankAt4 + $q];
      acc$(q * 4) = fma(vec4(t$q.x), s, acc$(q * 4));
      acc$(q * 4 + 1) = fma(vec4(t$q.y), s, acc$(q * 4 + 1));
      acc$(q * 4 + 2) = fma(vec4(t$q.z), s, acc$(q * 4 + 2));
      acc$(q * 4 + 3) = fma(vec4(t$q.w), s, acc$(q * 4 + 3));
      //#endfor
    }
    //#endif
  }

  //#if SLICED
  //#for q RANK / 4
  sums[thread] = acc$(q * 4);
  sums[thread + $(LANES * SLICES)] = acc$(q * 4 + 1);
  sums[thread + $(LANES * SLICES * 2)] = acc$(q * 4 + 2);
  sums[thread + $(LANES * SLICES * 3)] = acc$(q * 4 + 3);
  workgroupBarrier();
  if (slice == 0) {
    for (var other = 1u; other < $SLICES; other++) {
      acc$(q * 4) += sums[lane + other * $LANES];
      acc$(q * 4 + 1) += sums[lane + other * $LANES + $(LANES * SLICES)];
      acc$(q * 4 + 2) += sums[lane + other * $LANES + $(LANES * SLICES * 2)];
      acc$(q * 4 + 3) += sums[lane + other * $LANES + $(LANES * SLICES * 3)];
    }
  }
  workgroupBarrier();
  //#endfor
  //#endif

  if (slice > 0 || !inside) { return; }
  if (isDown) {
    //#if DOWN
    //#if CONV
    let tap = unit / ((p.k4 + $(LANES - 1)) / $LANES) % p.taps;
    let step = p.taps * p.k4;
    //#else
    let tap = 0u;
    let step = p.k4;
    //#endif
    //#for i RANK
    emitDown(chunk, (rankAt4 * 4 + $i) * step + tap * p.k4 + col4, acc$i);
    //#endfor
    //#endif
  } else {
    //#if UP
    //#for q RANK / 4
    emitUp(chunk, (col4 * 4) * p.rank4 + rankAt4 + $q, vec4(acc$(q * 4).x, acc$(q * 4 + 1).x, acc$(q * 4 + 2).x, acc$(q * 4 + 3).x));
    emitUp(chunk, (col4 * 4 + 1) * p.rank4 + rankAt4 + $q, vec4(acc$(q * 4).y, acc$(q * 4 + 1).y, acc$(q * 4 + 2).y, acc$(q * 4 + 3).y));
    emitUp(chunk, (col4 * 4 + 2) * p.rank4 + rankAt4 + $q, vec4(acc$(q * 4).z, acc$(q * 4 + 1).z, acc$(q * 4 + 2).z, acc$(q * 4 + 3).z));
    emitUp(chunk, (col4 * 4 + 3) * p.rank4 + rankAt4 + $q, vec4(acc$(q * 4).w, acc$(q * 4 + 1).w, acc$(q * 4 + 2).w, acc$(q * 4 + 3).w));
    //#endfor
    //#endif
  }
}
