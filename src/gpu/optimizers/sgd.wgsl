// SGD with momentum on count vec4s of one parameter buffer, g = gradient * clip coefficient:
//   g += wd p;  b = mu b + g;  p -= lr (g + mu b), or lr b without Nesterov (scalars 3 and 4 are the factors of b and g).
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
  let g = grad[i] * report[1] + scalars[p.base] * param[i];
  grad[i] = vec4<f32>(0.0);
  if (report[2] == 0.0) { return; }
  let momentum = scalars[p.base + 1u] * state0[i] + g;
  state0[i] = momentum;
  param[i] = param[i] - scalars[p.base + 2u] * (scalars[p.base + 4u] * g + scalars[p.base + 3u] * momentum);
}
