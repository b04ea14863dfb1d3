// delta = sum over the head of dy * o: what the softmax's gradient subtracts. One invocation per query and head.
//! read o: array<vec4<f32>>
//! read dy: array<vec4<f32>>
//! write delta: array<f32>
//! params heads: u32, queries: u32, count: u32

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i >= p.count) { return; }
  var sum = vec4<f32>();
  for (var d = 0u; d < $(D4)u; d++) { sum += o[i * $(D4)u + d] * dy[i * $(D4)u + d]; }
  let row = i / p.heads;
  delta[(row / p.queries * p.heads + i % p.heads) * p.queries + row % p.queries] = dot(sum, vec4<f32>(1.0));
}
