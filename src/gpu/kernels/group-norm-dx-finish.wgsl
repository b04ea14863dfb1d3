// Joins the chunks' sums into the group means of g and g * xhat. One workgroup per batch and group.
//! read partial: array<f32>
//! write means: array<vec2<f32>>
//! params rows: u32, chunks: u32

var<workgroup> lanes: array<vec2<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = wg.y * grid.x + wg.x;
  if (group >= $(BATCH_GROUPS)u) { return; }
  let batch = group / $(GROUPS)u;
  let channel = (group % $(GROUPS)u) * $(CPG)u;
  let items = p.chunks * $(CPG)u;
  var sum = vec2<f32>();
  for (var i = lane; i < items; i += 64u) {
    let at = (batch * p.chunks + i / $(CPG)u) * $(2 * C)u + channel + i % $(CPG)u;
    sum += vec2<f32>(partial[at], partial[at + $(C)u]);
  }
  lanes[lane] = sum;
  for (var half = 32u; half > 0u; half = half / 2u) {
    workgroupBarrier();
    if (lane < half) { lanes[lane] += lanes[lane + half]; }
  }
  if (lane == 0u) { means[group] = lanes[0] / f32(p.rows * $(CPG)u); }
}
