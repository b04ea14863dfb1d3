// Adam on count vec4s of one parameter buffer (torch.optim.AdamW; COUPLED: torch.optim.Adam, g += wd p instead):
//   p *= 1 - lr wd;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;  p -= lr/bc1 * m / (sqrt(v)/sqrt(bc2) + eps)
// with g = gradient * clip coefficient. The gradient is cleared for the next accumulation.
//! read scalars: array<f32>
//! read report: array<f32>
//! write param: array<vec4<f32>>
//! write grad: array<vec4<f32>>
//! write state0: array<vec4<f32>>
//! write state1: array<vec4<f32>>
//! params count: u32, base: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
//#if COUPLED
  let g = grad[i] * report[1] + scalars[p.base] * param[i];
  let decay = 1.0;
//#else
  let g = grad[i] * report[1];
  let decay = scalars[p.base];
//#endif
  grad[i] = vec4<f32>(0.0);
  if (report[2] == 0.0) { return; }
  let step_size = scalars[p.base + 1u];
  let inverse_root = scalars[p.base + 2u];
  let m = scalars[p.base + 3u] * state0[i] + scalars[p.base + 4u] * g;
  let v = scalars[p.base + 5u] * state1[i] + scalars[p.base + 6u] * g * g;
  state0[i] = m;
  state1[i] = v;
  param[i] = param[i] * decay - step_size * (m / (sqrt(v) * inverse_root + scalars[p.base + 7u]));
}
