// fwd: y = f(x); bwd: dx = dy * f'(x) (+ addend), over count vec4s.
//! read x: array<vec4<f32>>
//#if BACKWARD
//! read dy: array<vec4<f32>>
//#if ADDEND
//! read addend: array<vec4<f32>>
//#endif
//#endif
//! write y: array<vec4<f32>>
//! params count: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
  let v = x[i];
//#if BACKWARD
//#if SILU
  var r = dy[i] * silu_derivative(v);
//#endif
//#if GELU
  var r = dy[i] * gelu_derivative(v);
//#endif
//#if QUICK_GELU
  var r = dy[i] * quick_gelu_derivative(v);
//#endif
//#if ADDEND
  r += addend[i];
//#endif
  y[i] = r;
//#else
//#if SILU
  y[i] = silu(v);
//#endif
//#if GELU
  y[i] = gelu(v);
//#endif
//#if QUICK_GELU
  y[i] = quick_gelu(v);
//#endif
//#endif
}
