// summary = [modules that were scaled, mean norm, largest norm, -] of count modules.
//! read norms: array<f32>
//! write summary: array<f32>
//! params count: u32

var<workgroup> sums: array<vec3<f32>, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
  var sum = vec3<f32>(0.0);
  for (var i = lane; i < p.count; i += 256u) {
    let norm = norms[2u * i];
    sum = vec3<f32>(sum.x + norms[2u * i + 1u], sum.y + norm, max(sum.z, norm));
  }
  sums[lane] = sum;
  workgroupBarrier();
  for (var half = 128u; half > 0u; half >>= 1u) {
    if (lane < half) {
      let other = sums[lane + half];
      sums[lane] = vec3<f32>(sums[lane].x + other.x, sums[lane].y + other.y, max(sums[lane].z, other.z));
    }
    workgroupBarrier();
  }
  if (lane == 0u) {
    summary[0] = sums[0].x;
    summary[1] = sums[0].y / f32(p.count);
    summary[2] = sums[0].z;
  }
}
