// Second pass of D-Adaptation's Adam over count vec4s: p -= wd y p (DECOUPLED);  p -= m / (sqrt(v) + eps).
//! read head: array<f32>
//! write param: array<vec4<f32>>
//! write grad: array<vec4<f32>>
//! read state1: array<vec4<f32>>
//! read state2: array<vec4<f32>>
//! params count: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
  grad[i] = vec4<f32>(0.0);
  if (head[12] == 0.0) { return; }
  var value = param[i];
//#if DECOUPLED
  value -= head[16u + 8u] * head[10] * value;
//#endif
  param[i] = value - state1[i] / (sqrt(state2[i]) + head[16u + 7u]);
}
