// Second pass of Prodigy over count vec4s:  m = b1 m + (1-b1) d g with the old d;  p -= wd y p (DECOUPLED);
//   p -= y m / (sqrt(v) + d eps) with the new d, or without MOMENTUM y d g for y m. y is still of the old d.
//! read head: array<f32>
//! write param: array<vec4<f32>>
//! write grad: array<vec4<f32>>
//! write state2: array<vec4<f32>>
//#if MOMENTUM
//! write state3: array<vec4<f32>>
//#endif
//! params count: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
  var g = grad[i] * head[8];
  grad[i] = vec4<f32>(0.0);
  if (head[12] == 0.0) { return; }
  var value = param[i];
//#if COUPLED
  g += head[16u + 8u] * value;
//#endif
//#if DECOUPLED
  value -= head[16u + 8u] * head[10] * value;
//#endif
//#if MOMENTUM
  let m = head[16u + 1u] * state3[i] + head[16u + 2u] * head[11] * g;
  state3[i] = m;
  let change = head[10] * m;
//#else
  let change = head[10] * head[0] * g;
//#endif
  param[i] = value - change / (sqrt(state2[i]) + head[0] * head[16u + 7u]);
}
