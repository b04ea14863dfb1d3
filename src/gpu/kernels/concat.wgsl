// Channel concatenation over rows: y = [a, b]; widths in vec4s. SPLIT is its reverse (wanted parts only).
//#if SPLIT
//! read y: array<vec4<f32>>
//#if WANT_A
//! write a: array<vec4<f32>>
//#endif
//#if WANT_B
//! write b: array<vec4<f32>>
//#endif
//#else
//! read a: array<vec4<f32>>
//! read b: array<vec4<f32>>
//! write y: array<vec4<f32>>
//#endif
//! params count: u32, a_width: u32, b_width: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
  let width = p.a_width + p.b_width;
  let row = i / width;
  let column = i % width;
  if (column < p.a_width) {
    let at = row * p.a_width + column;
//#if SPLIT
//#if WANT_A
    a[at] = y[i];
//#endif
//#else
    y[i] = a[at];
//#endif
  } else {
    let at = row * p.b_width + column - p.a_width;
//#if SPLIT
//#if WANT_B
    b[at] = y[i];
//#endif
//#else
    y[i] = b[at];
//#endif
  }
}
