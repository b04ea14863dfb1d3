// Sums of products in a fixed order: result[row] = sum of a[row][i] * b[row][i], a workgroup per row.
//
//   ALONE   sums a itself
//   ADD     result += instead of result =
//! read a: array<f32>
//#if !ALONE
//! read b: array<f32>
//#endif
//! write result: array<f32>
//! params count: u32, width: u32, rows: u32

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = wg.y * grid.x + wg.x;
  var sum = 0.0;
  let end = min((row + 1u) * p.width, p.count);
  for (var i = row * p.width + thread; i < end; i += 64u) {
    //#if ALONE
    sum += a[i];
    //#else
    sum = fma(a[i], b[i], sum);
    //#endif
  }
  sums[thread] = sum;
  workgroupBarrier();
  if (thread > 0u || row >= p.rows) { return; }
  for (var other = 1u; other < 64u; other++) { sum += sums[other]; }
  //#if ADD
  result[row] += sum;
  //#else
  result[row] = sum;
  //#endif
}
