// grad[id - first, :] += sum of dy[row, :] over the rows with that id, for ids from p.first on, p.count of them; channels
// in vec4s. Of the rows with one id the first one sums them all, in the order of the rows.
//! read ids: array<i32>
//! read dy: array<vec4<f32>>
//! write grad: array<vec4<f32>>
//! params channels: u32, rows: u32, first: u32, count: u32

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i >= p.rows * p.channels) { return; }
  let c = i % p.channels;
  let own = i / p.channels;
  let id = ids[own];
  // An id before the first one is a huge unsigned number here.
  let place = u32(id) - p.first;
  if (place >= p.count) { return; }
  for (var row = 0u; row < own; row++) {
    if (ids[row] == id) { return; }
  }
  var sum = vec4<f32>(0.0);
  for (var row = own; row < p.rows; row++) {
    if (ids[row] == id) { sum += dy[row * p.channels + c]; }
  }
  grad[place * p.channels + c] += sum;
}
