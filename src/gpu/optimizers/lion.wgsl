// Lion on count vec4s of one parameter buffer:
//   p *= 1 - lr wd;  p -= lr sign(b1 m + (1-b1) g);  m = b2 m + (1-b2) g,  g = gradient * clip coefficient.
//! read scalars: array<f32>
//! read report: array<f32>
//! write param: array<vec4<f32>>
//! write grad: array<vec4<f32>>
//! write state0: array<vec4<f32>>
//! params count: u32, base: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
  let g = grad[i] * report[1];
  grad[i] = vec4<f32>(0.0);
  if (report[2] == 0.0) { return; }
  let m = state0[i];
  let direction = sign(scalars[p.base + 2u] * m + scalars[p.base + 3u] * g);
  param[i] = param[i] * scalars[p.base] - scalars[p.base + 1u] * direction;
  state0[i] = scalars[p.base + 4u] * m + scalars[p.base + 5u] * g;
}
