// First pass of D-Adaptation's Adam over count vec4s: moments, s, and what the estimate of d is made of. b1, b2 and b3
// weigh m, v and s; y is the step; g = gradient * clip coefficient (+ wd p where it is COUPLED).
//   m = b1 m + (1-b1) y g;  v = b2 v + (1-b2) g^2;  s = b3 s + (1-b3) y g
// Sums: g s / (sqrt(v) + eps) with the old s and v, and |s|; PREPRINT: g^2 / D, |s| and s^2 / D with D of the new v.
//! read head: array<f32>
//! read grad: array<vec4<f32>>
//#if COUPLED
//! read param: array<vec4<f32>>
//#endif
//! write state0: array<vec4<f32>>
//! write state1: array<vec4<f32>>
//! write state2: array<vec4<f32>>
//! write partials: array<vec4<f32>>
//! params count: u32, place: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var sum = vec4<f32>(0.0);
  if (head[9] != 0.0 && head[14] > 0.0) {
    let y = head[10];
    let eps = head[16u + 7u];
    for (var i = wg.x * 256u + lane; i < p.count; i += grid.x * 256u) {
      var g = grad[i] * head[8];
//#if COUPLED
      g += head[16u + 8u] * param[i];
//#endif
      let s0 = state0[i];
      let v0 = state2[i];
      let v = head[16u + 3u] * v0 + head[16u + 4u] * g * g;
      let s = head[16u + 5u] * s0 + head[16u + 6u] * y * g;
      state0[i] = s;
      state1[i] = head[16u + 1u] * state1[i] + head[16u + 2u] * y * g;
      state2[i] = v;
//#if PREPRINT
      let d = sqrt(v) + eps;
      sum += vec4<f32>(dot(g, g / d), dot(abs(s), vec4<f32>(1.0)), dot(s, s / d), 0.0);
//#else
      sum += vec4<f32>(dot(g, s0 / (sqrt(v0) + eps)), dot(abs(s), vec4<f32>(1.0)), 0.0, 0.0);
//#endif
    }
  }
  hand_in(sum, p.place + wg.x, lane);
}
