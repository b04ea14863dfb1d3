// y = a + b over count vec4s. Temps are padded to 256 bytes, so the last vec4 may be partial.
//! read a: array<vec4<f32>>
//! read b: array<vec4<f32>>
//! write y: array<vec4<f32>>
//! params count: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
  y[i] = a[i] + b[i];
}
