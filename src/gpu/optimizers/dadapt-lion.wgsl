// D-Adaptation's Lion over count vec4s; y is the step, g = gradient * clip coefficient:
//   p *= 1 - wd y;  u = sign(b1 m + (1-b1) g);  p -= y u;  m = b2 m + (1-b2) y g;  s = b3 s + (1-b3) y u
// Parameters move by the estimate of the update before. Sums: u s with the old s, and |s|.
//! read head: array<f32>
//! write param: array<vec4<f32>>
//! write grad: array<vec4<f32>>
//! write state0: array<vec4<f32>>
//! write state1: array<vec4<f32>>
//! write partials: array<vec4<f32>>
//! params count: u32, place: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var sum = vec4<f32>(0.0);
  for (var i = wg.x * 256u + lane; i < p.count; i += grid.x * 256u) {
    let g = grad[i] * head[8];
    grad[i] = vec4<f32>(0.0);
    if (head[9] != 0.0) {
      let y = head[10];
      let u = sign(head[16u + 1u] * state1[i] + head[16u + 2u] * g);
      param[i] = param[i] * (1.0 - head[16u + 8u] * y) - y * u;
      state1[i] = head[16u + 3u] * state1[i] + head[16u + 4u] * y * g;
      let before = state0[i];
      let s = head[16u + 5u] * before + head[16u + 6u] * y * u;
      state0[i] = s;
      sum += vec4<f32>(dot(u, before), dot(abs(s), vec4<f32>(1.0)), 0.0, 0.0);
    }
  }
  hand_in(sum, p.place + wg.x, lane);
}
