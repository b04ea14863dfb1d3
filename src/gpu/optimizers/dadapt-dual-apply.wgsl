// Second pass of D-Adaptation's AdaGrad and SGD over count vec4s: p = mu p + (1 - mu) (p0 - s / D), D = sqrt(a) + eps, or
// 1 for SGD.
//! read head: array<f32>
//! write param: array<vec4<f32>>
//! write grad: array<vec4<f32>>
//! read state0: array<vec4<f32>>
//! read state1: array<vec4<f32>>
//#if ADAGRAD
//! read state2: array<vec4<f32>>
//#endif
//! params count: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
  grad[i] = vec4<f32>(0.0);
  if (head[12] == 0.0) { return; }
  let momentum = head[16u + 12u];
//#if ADAGRAD
  let goal = state1[i] - state0[i] / (sqrt(state2[i]) + head[16u + 7u]);
//#else
  let goal = state1[i] - state0[i];
//#endif
  param[i] = momentum * param[i] + (1.0 - momentum) * goal;
}
