// DoRA's decomposition of a weight v into magnitudes and directions, a workgroup per row of v: y = v * g / (|v| + epsilon).
// With BACK, from dy: dv = c * dy - g * a / (n² * |v|) * v with c = g / n, n = |v| + epsilon and a = dy · v; and dg += a / n.
// With DROP y = v where dropout leaves the module out in this micro-batch (follows dropout-numbers.wgsl then).
//! read v: array<f32>
//! read g: array<f32>
//#if BACK
//! read dy: array<f32>
//! write dv: array<f32>
//! write dg: array<f32>
//#else
//! write y: array<f32>
//#endif
//! params firstRow: u32, rows: u32, width: u32, layer: u32, moduleBelow: u32

// What keeps a zero norm from dividing: LyCORIS adds the machine epsilon of f32.
const epsilon = 1.1920929e-7;

var<workgroup> sums: array<vec2<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = wg.y * grid.x + wg.x;
  let isInside = row < p.rows;
  let start = (p.firstRow + min(row, p.rows - 1)) * p.width;
  var sum = vec2<f32>(0.0);
  for (var i = thread; i < p.width; i += 64u) {
    let value = v[start + i];
    //#if BACK
    sum = fma(vec2(value), vec2(value, dy[start + i]), sum);
    //#else
    sum.x = fma(value, value, sum.x);
    //#endif
  }
  sums[thread] = sum;
  workgroupBarrier();
  var total = vec2<f32>(0.0);
  for (var other = 0u; other < 64u; other++) { total += sums[other]; }
  if (!isInside) { return; }
  let length = sqrt(total.x);
  let n = length + epsilon;
  var c = g[row] / n;
  //#if DROP
  let isDropped = philox(0u, p.layer, $(MODULE_STREAM)u).x < p.moduleBelow;
  c = select(c, 1.0, isDropped);
  //#endif
  //#if BACK
  // A row of zeros has no direction to turn.
  var turn = select(c * total.y / (n * length), 0.0, length == 0.0);
  var pull = total.y / n;
  //#if DROP
  turn = select(turn, 0.0, isDropped);
  pull = select(pull, 0.0, isDropped);
  //#endif
  for (var i = thread; i < p.width; i += 64u) { dv[start + i] = c * dy[start + i] - turn * v[start + i]; }
  if (thread == 0u) { dg[row] += pull; }
  //#else
  for (var i = thread; i < p.width; i += 64u) { y[start + i] = c * v[start + i]; }
  //#endif
}
