// Rows of x hold value a (first half) and gate g (second half), width vec4s each.
// fwd: y = a * gelu(g).  bwd: da = dy * gelu(g), dg = dy * a * gelu'(g).
//! read x: array<vec4<f32>>
//#if BACKWARD
//! read dy: array<vec4<f32>>
//#endif
//! write y: array<vec4<f32>>
//! params count: u32, width: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
  let row = i / p.width;
  let value_at = i + row * p.width;
  let gate_at = value_at + p.width;
  let g = x[gate_at];
//#if BACKWARD
  let d = dy[i];
  let a = x[value_at];
  let cdf = normal_cdf(g);
  y[value_at] = d * g * cdf;
  y[gate_at] = d * a * (cdf + g * exp(-0.5 * g * g) * 0.39894228040143268);
//#else
  y[i] = x[value_at] * gelu(g);
//#endif
}
