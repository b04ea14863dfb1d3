// First pass of D-Adaptation's AdaGrad (ADAGRAD) and SGD over count vec4s. g = gradient * clip coefficient + wd p; y is
// the step. The first parameters are taken at the first call.
//   AdaGrad: a += g^2;  s += y g;  sums g^2 / D, |s|, s^2 / D with D = sqrt(a) + eps.  SGD: s += y g;  sums g s, s^2.
//! read head: array<f32>
//! read grad: array<vec4<f32>>
//! read param: array<vec4<f32>>
//! write state0: array<vec4<f32>>
//! write state1: array<vec4<f32>>
//#if ADAGRAD
//! write state2: array<vec4<f32>>
//#endif
//! write partials: array<vec4<f32>>
//! params count: u32, place: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var sum = vec4<f32>(0.0);
  if (head[9] != 0.0) {
    for (var i = wg.x * 256u + lane; i < p.count; i += grid.x * 256u) {
      let g = grad[i] * head[8] + head[16u + 8u] * param[i];
      if (head[13] != 0.0) {
        state1[i] = param[i];
//#if ADAGRAD
        state2[i] = vec4<f32>(1e-6);
//#endif
      }
      let before = state0[i];
      let s = before + head[10] * g;
//#if ADAGRAD
      let a = state2[i] + g * g;
      let d = sqrt(a) + head[16u + 7u];
      state0[i] = s;
      state2[i] = a;
      sum += vec4<f32>(dot(g, g / d), dot(abs(s), vec4<f32>(1.0)), dot(s, s / d), 0.0);
//#else
      if (head[14] > 0.0) {
        state0[i] = s;
        sum += vec4<f32>(dot(g, before), dot(s, s), 0.0, 0.0);
      }
//#endif
    }
  }
  hand_in(sum, p.place + wg.x, lane);
}
