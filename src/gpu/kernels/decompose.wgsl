// DoRA's decomposition of a weight v into magnitudes and directions, a workgroup per row of v, or per input channel of the
// rows of one layer: y = v * g / (|v| + epsilon) over the `count` elements of that line, `step` apart.
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
//! params first: u32, lines: u32, lineStride: u32, count: u32, step: u32, layer: u32, moduleBelow: u32

// What keeps a zero norm from dividing: LyCORIS adds the machine epsilon of f32.
const epsilon = 1.1920929e-7;

var<workgroup> sums: array<vec2<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let line = wg.y * grid.x + wg.x;
  let isInside = line < p.lines;
  let start = p.first + min(line, p.lines - 1) * p.lineStride;
  var sum = vec2<f32>(0.0);
  for (var i = thread; i < p.count; i += 64u) {
    let at = start + i * p.step;
    let value = v[at];
    //#if BACK
    sum = fma(vec2(value), vec2(value, dy[at]), sum);
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
  var c = g[line] / n;
  //#if DROP
  let isDropped = philox(0u, p.layer, $(MODULE_STREAM)u).x < p.moduleBelow;
  c = select(c, 1.0, isDropped);
  //#endif
  //#if BACK
  // A line of zeros has no direction to turn.
  var turn = select(c * total.y / (n * length), 0.0, length == 0.0);
  var pull = total.y / n;
  //#if DROP
  turn = select(turn, 0.0, isDropped);
  pull = select(pull, 0.0, isDropped);
  //#endif
  for (var i = thread; i < p.count; i += 64u) {
    let at = start + i * p.step;
    dv[at] = c * dy[at] - turn * v[at];
  }
  if (thread == 0u) { dg[line] += pull; }
  //#else
  for (var i = thread; i < p.count; i += 64u) { y[start + i * p.step] = c * v[start + i * p.step]; }
  //#endif
}
