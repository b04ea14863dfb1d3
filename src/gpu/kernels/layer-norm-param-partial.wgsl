// Sums of dy and dy * xhat of every channel over a chunk of rows. One invocation per four channels of a chunk.
//! read x: array<vec4<f32>>
//! read dy: array<vec4<f32>>
//! read stats: array<vec2<f32>>
//! write partial: array<vec4<f32>>
//! params rows: u32, chunkRows: u32, channels4: u32, count: u32

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i >= p.count) { return; }
  let c = i % p.channels4;
  let chunk = i / p.channels4;
  let first = chunk * p.chunkRows;
  let end = min(first + p.chunkRows, p.rows);
  var sum = vec4<f32>();
  var product = vec4<f32>();
  for (var row = first; row < end; row++) {
    let at = row * p.channels4 + c;
    let g = dy[at];
    sum += g;
    product += g * ((x[at] - stats[row].x) * stats[row].y);
  }
  partial[chunk * 2u * p.channels4 + c] = sum;
  partial[(chunk * 2u + 1u) * p.channels4 + c] = product;
}
