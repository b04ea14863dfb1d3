// Adds the row chunks' adapter gradients, in order, to the gradients so far: down first, then up. With REPLACE down
// becomes their sum.
//! read partials: array<vec4<f32>>
//#if DOWN
//! write down: array<vec4<f32>>
//#endif
//#if UP
//! write up: array<vec4<f32>>
//#endif
//! params chunks: u32, down4: u32, total4: u32

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i >= p.total4) { return; }
  var sum = vec4<f32>(0.0);
  for (var chunk = 0u; chunk < p.chunks; chunk++) { sum += partials[chunk * p.total4 + i]; }
  if (i < p.down4) {
    //#if DOWN
    //#if REPLACE
    down[i] = sum;
    //#else
    down[i] += sum;
    //#endif
    //#endif
  } else {
    //#if UP
    up[i - p.down4] += sum;
    //#endif
  }
}
