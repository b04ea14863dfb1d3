// First pass of Prodigy over count vec4s: second moment, s, and what the estimate of d is made of. d is the one before, y the
// step, g = gradient * clip coefficient (+ wd p where it is COUPLED). p0 is taken at the first call.
//   v = b2 v + (1-b2) d^2 g^2;  s = b3 s + d/d0 (y, or d where SAFEGUARD) g
// Sums: g (p0 - p) and |s|; SLICED: of the elements whose bits are set in slices, and s of no others.
//! read head: array<f32>
//! read grad: array<vec4<f32>>
//! read param: array<vec4<f32>>
//! write state0: array<vec4<f32>>
//! write state1: array<vec4<f32>>
//! write state2: array<vec4<f32>>
//#if SLICED
//! read slices: array<u32>
//#endif
//! write partials: array<vec4<f32>>
//! params count: u32, place: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var sum = vec4<f32>(0.0);
  if (head[9] != 0.0) {
    let d = head[11];
//#if SAFEGUARD
    let weight = d / head[16u + 9u] * d;
//#else
    let weight = d / head[16u + 9u] * head[10];
//#endif
    for (var i = wg.x * 256u + lane; i < p.count; i += grid.x * 256u) {
      if (head[13] != 0.0) { state1[i] = param[i]; }
      if (head[14] > 0.0) {
        var g = grad[i] * head[8];
//#if COUPLED
        g += head[16u + 8u] * param[i];
//#endif
        var chosen = g;
//#if SLICED
        let bits = (vec4<u32>(slices[i / 8u]) >> (vec4<u32>(0u, 1u, 2u, 3u) + 4u * (i % 8u))) & vec4<u32>(1u);
        chosen *= vec4<f32>(bits);
//#endif
        let s = head[16u + 5u] * state0[i] + weight * chosen;
        state0[i] = s;
        state2[i] = head[16u + 3u] * state2[i] + head[16u + 4u] * d * d * g * g;
        sum += vec4<f32>(dot(chosen, state1[i] - param[i]), dot(abs(s), vec4<f32>(1.0)), 0.0, 0.0);
      }
    }
  }
  hand_in(sum, p.place + wg.x, lane);
}
