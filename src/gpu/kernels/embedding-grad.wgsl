// grad[v, :] += sum of dy[row, :] over the rows with ids[row] = vocabulary + v, in the order of the rows; channels in vec4s.
//! read ids: array<i32>
//! read dy: array<vec4<f32>>
//! write grad: array<vec4<f32>>
//! params count: u32, channels: u32, rows: u32, vocabulary: u32

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i >= p.count) { return; }
  let c = i % p.channels;
  let id = i32(p.vocabulary + i / p.channels);
  var sum = vec4<f32>(0.0);
  for (var row = 0u; row < p.rows; row++) {
    if (ids[row] == id) { sum += dy[row * p.channels + c]; }
  }
  grad[i] += sum;
}
