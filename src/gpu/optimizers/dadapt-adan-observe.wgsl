// First pass of D-Adaptation's Adan over count vec4s; y is the step, g = gradient * clip coefficient, c the change of g
// since the last update (0 at the first):
//   m = b1 m + (1-b1) y g;  f = b2 f + (1-b2) y c;  v = b3 v + (1-b3) (g + b2 c)^2;  s = b3 s + (1-b3) y g
// Sums: g^2 / D, |s| and s^2 / D with D = sqrt(v) + eps of the new v; IP: g s / D with the old s and v, and |s|.
//! read head: array<f32>
//! read grad: array<vec4<f32>>
//! write state0: array<vec4<f32>>
//! write state1: array<vec4<f32>>
//! write state2: array<vec4<f32>>
//! write state3: array<vec4<f32>>
//! write state4: array<vec4<f32>>
//! write partials: array<vec4<f32>>
//! params count: u32, place: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var sum = vec4<f32>(0.0);
  if (head[9] != 0.0) {
    let y = head[10];
    let b2 = head[16u + 3u];
    for (var i = wg.x * 256u + lane; i < p.count; i += grid.x * 256u) {
      let g = grad[i] * head[8];
      if (head[3] == 0.0) { state4[i] = g; }
      let change = g - state4[i];
      let ahead = g + b2 * change;
      let s0 = state0[i];
      let v0 = state3[i];
      let v = head[16u + 5u] * v0 + head[16u + 6u] * ahead * ahead;
      let s = head[16u + 5u] * s0 + head[16u + 6u] * y * g;
      state0[i] = s;
      state1[i] = head[16u + 1u] * state1[i] + head[16u + 2u] * y * g;
      state2[i] = b2 * state2[i] + head[16u + 4u] * y * change;
      state3[i] = v;
//#if IP
      sum += vec4<f32>(dot(g, s0 / (sqrt(v0) + head[16u + 7u])), dot(abs(s), vec4<f32>(1.0)), 0.0, 0.0);
//#else
      let d = sqrt(v) + head[16u + 7u];
      sum += vec4<f32>(dot(g, g / d), dot(abs(s), vec4<f32>(1.0)), dot(s, s / d), 0.0);
//#endif
    }
  }
  hand_in(sum, p.place + wg.x, lane);
}
