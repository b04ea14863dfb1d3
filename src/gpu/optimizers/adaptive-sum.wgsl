var<workgroup> sums: array<vec4<f32>, 256>;

// Sums over the workgroup's lanes to its place among the partial sums, in a fixed order.
fn hand_in(sum: vec4<f32>, place: u32, lane: u32) {
  sums[lane] = sum;
  workgroupBarrier();
  for (var half = 128u; half > 0u; half >>= 1u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0u) { partials[place] = sums[0]; }
}
