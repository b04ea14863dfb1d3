// partial[w] = sum of squares of the slice that workgroup w walks; 64 workgroups stride over count vec4s.
//! read grad: array<vec4<f32>>
//! write partial: array<f32>
//! params count: u32

var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var sum = vec4<f32>(0.0);
  for (var i = wg.x * 256u + lane; i < p.count; i += grid.x * 256u) {
    let g = grad[i];
    sum += g * g;
  }
  sums[lane] = sum.x + sum.y + sum.z + sum.w;
  workgroupBarrier();
  for (var half = 128u; half > 0u; half >>= 1u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0u) { partial[wg.x] = sums[0]; }
}
