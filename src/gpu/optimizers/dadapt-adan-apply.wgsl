// Second pass of D-Adaptation's Adan over count vec4s: p = (p - (m + b2 f) / (sqrt(v) + eps)) / (1 + wd y), or where
// NO_PROX p (1 - wd y) - (m + b2 f) / (sqrt(v) + eps). The gradient is remembered for the next change.
//! read head: array<f32>
//! write param: array<vec4<f32>>
//! write grad: array<vec4<f32>>
//! write state1: array<vec4<f32>>
//! write state2: array<vec4<f32>>
//! write state3: array<vec4<f32>>
//! write state4: array<vec4<f32>>
//! params count: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
  let g = grad[i] * head[8];
  grad[i] = vec4<f32>(0.0);
  if (head[12] == 0.0) { return; }
  let step = (state1[i] + head[16u + 3u] * state2[i]) / (sqrt(state3[i]) + head[16u + 7u]);
  let decay = head[16u + 8u] * head[10];
//#if NO_PROX
  param[i] = param[i] * (1.0 - decay) - step;
//#else
  param[i] = (param[i] - step) / (1.0 + decay);
//#endif
  state4[i] = g;
}
