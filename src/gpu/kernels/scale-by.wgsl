// y = x * s[0] for a trained number s, a thread per element.
//! read x: array<f32>
//! read s: array<f32>
//! write y: array<f32>
//! params count: u32

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i < p.count) { y[i] = x[i] * s[0]; }
}
