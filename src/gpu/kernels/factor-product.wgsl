// c = a * b for the small matrices that weights of adapters are made of; strides say which of them is transposed.
// A tile is 4×4. With DEEP a workgroup makes one tile, its 64 threads take turns on the reduction and are summed in a
// fixed order; otherwise every thread makes a tile of its own.
//
//   TIMES   c = (a * b) ∘ t
//   ADD     c += instead of c =
//! read a: array<f32>
//! read b: array<f32>
//#if TIMES
//! read t: array<f32>
//#endif
//! write c: array<f32>
//! params rows: u32, cols: u32, red: u32, aRow: u32, aRed: u32, bRed: u32, bCol: u32, colTiles: u32, tiles: u32

//#if DEEP
var<workgroup> sums: array<vec4<f32>, 256>;
//#endif

fn emit(row: u32, col: u32, value: f32) {
  if (row >= p.rows || col >= p.cols) { return; }
  let at = row * p.cols + col;
  //#if TIMES
  let product = value * t[at];
  //#else
  let product = value;
  //#endif
  //#if ADD
  c[at] += product;
  //#else
  c[at] = product;
  //#endif
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  //#if DEEP
  let tile = wg.y * grid.x + wg.x;
  //#else
  let tile = (wg.y * grid.x + wg.x) * 64u + thread;
  //#endif
  if (tile >= p.tiles) { return; }
  let row = tile / p.colTiles * 4u;
  let col = tile % p.colTiles * 4u;
  // Rows and columns outside of the matrix repeat its last ones and are not written.
  //#for i 4
  let aAt$i = min(row + $i, p.rows - 1) * p.aRow;
  let bAt$i = min(col + $i, p.cols - 1) * p.bCol;
  //#endfor
  var acc: array<vec4<f32>, 4>;
  //#if DEEP
  for (var k = thread; k < p.red; k += 64u) {
  //#else
  for (var k = 0u; k < p.red; k++) {
  //#endif
    let aK = k * p.aRed;
    let bK = k * p.bRed;
    let right = vec4<f32>(b[bAt0 + bK], b[bAt1 + bK], b[bAt2 + bK], b[bAt3 + bK]);
    //#for i 4
    acc[$i] = fma(vec4(a[aAt$i + aK]), right, acc[$i]);
    //#endfor
  }
  //#if DEEP
  //#for i 4
  sums[thread * 4u + $i] = acc[$i];
  //#endfor
  workgroupBarrier();
  if (thread >= 16u) { return; }
  var sum = 0.0;
  for (var other = 0u; other < 64u; other++) { sum += sums[other * 4u + thread / 4u][thread % 4u]; }
  emit(row + thread / 4u, col + thread % 4u, sum);
  //#else
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) { emit(row + i, col + j, acc[i][j]); }
  }
  //#endif
}
