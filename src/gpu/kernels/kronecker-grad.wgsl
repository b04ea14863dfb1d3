// Gradient of w1 ⊗ w2 towards one of them, from dy [(a b)][t][(c d)]: d[n] sums the products of dy and the other factor.
//
//   LEFT    towards w1 [a][c], over b, t and d; otherwise towards w2, over a and c
//   SLICED  a workgroup's 64 threads share the sum of one element, in a fixed order; otherwise a thread has its own
//   ADD     d += instead of d =
//! read dy: array<f32>
//! read other: array<f32>
//! write d: array<f32>
//! params count: u32, red: u32, bs: u32, cs: u32, ds: u32, taps: u32, bStride: u32, tStride: u32, dStride: u32

//#if SLICED
var<workgroup> sums: array<f32, 64>;
//#endif

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  //#if SLICED
  let n = wg.y * grid.x + wg.x;
  let first = thread;
  let step = 64u;
  //#else
  let n = (wg.y * grid.x + wg.x) * 64u + thread;
  let first = 0u;
  let step = 1u;
  //#endif
  if (n >= p.count) { return; }
  let width = p.cs * p.ds;
  var sum = 0.0;
  //#if LEFT
  let corner = (n / p.cs * p.bs * p.taps) * width + n % p.cs * p.ds;
  for (var k = first; k < p.red; k += step) {
    let x = k % p.ds;
    let tap = k / p.ds % p.taps;
    let y = k / p.ds / p.taps;
    sum = fma(dy[corner + (y * p.taps + tap) * width + x], other[y * p.bStride + tap * p.tStride + x * p.dStride], sum);
  }
  let at = n;
  //#else
  let x = n % p.ds;
  let tap = n / p.ds % p.taps;
  let y = n / p.ds / p.taps;
  for (var k = first; k < p.red; k += step) {
    sum = fma(dy[((k / p.cs * p.bs + y) * p.taps + tap) * width + k % p.cs * p.ds + x], other[k], sum);
  }
  let at = y * p.bStride + tap * p.tStride + x * p.dStride;
  //#endif
  //#if SLICED
  sums[thread] = sum;
  workgroupBarrier();
  if (thread > 0u) { return; }
  for (var slice = 1u; slice < 64u; slice++) { sum += sums[slice]; }
  //#endif
  //#if ADD
  d[at] += sum;
  //#else
  d[at] = sum;
  //#endif
}
