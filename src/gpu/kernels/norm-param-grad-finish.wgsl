// Adds the parts' sums, in order, to the gradients: of beta the sums of g, of gamma those of g * xhat. count vec4s of channels.
//! read partial: array<vec4<f32>>
//! write gradGamma: array<vec4<f32>>
//! write gradBeta: array<vec4<f32>>
//! params parts: u32, count: u32

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let c = (wg.y * grid.x + wg.x) * 64u + lane;
  if (c >= p.count) { return; }
  var sum = vec4<f32>();
  var product = vec4<f32>();
  for (var part = 0u; part < p.parts; part++) {
    sum += partial[part * 2u * p.count + c];
    product += partial[(part * 2u + 1u) * p.count + c];
  }
  gradBeta[c] += sum;
  gradGamma[c] += product;
}
