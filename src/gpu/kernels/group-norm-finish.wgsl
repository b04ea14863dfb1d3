// Joins the chunks' channel statistics into mean and 1/deviation of each group. One workgroup per batch and group.
//! read partial: array<f32>
//! write stats: array<vec2<f32>>
//! params rows: u32, chunks: u32, chunkRows: u32, eps: f32

var<workgroup> lanes: array<f32, 64>;

fn sumLanes(lane: u32, value: f32) -> f32 {
  workgroupBarrier();
  lanes[lane] = value;
  for (var half = 32u; half > 0u; half = half / 2u) {
    workgroupBarrier();
    if (lane < half) { lanes[lane] += lanes[lane + half]; }
  }
  workgroupBarrier();
  return lanes[0];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let group = wg.y * grid.x + wg.x;
  if (group >= $(BATCH_GROUPS)u) { return; }
  let batch = group / $(GROUPS)u;
  let channel = (group % $(GROUPS)u) * $(CPG)u;
  let items = p.chunks * $(CPG)u;
  let total = f32(p.rows * $(CPG)u);
  let lastRows = p.rows - (p.chunks - 1u) * p.chunkRows;

  var sum = 0.0;
  for (var i = lane; i < items; i += 64u) {
    let chunk = i / $(CPG)u;
    let n = f32(select(p.chunkRows, lastRows, chunk == p.chunks - 1u));
    sum += n * partial[(batch * p.chunks + chunk) * $(2 * C)u + channel + i % $(CPG)u];
  }
  let mean = sumLanes(lane, sum) / total;

  var square = 0.0;
  for (var i = lane; i < items; i += 64u) {
    let chunk = i / $(CPG)u;
    let n = f32(select(p.chunkRows, lastRows, chunk == p.chunks - 1u));
    let at = (batch * p.chunks + chunk) * $(2 * C)u + channel + i % $(CPG)u;
    let delta = partial[at] - mean;
    square += partial[at + $(C)u] + n * delta * delta;
  }
  let variance = sumLanes(lane, square) / total;
  if (lane == 0u) { stats[group] = vec2<f32>(mean, 1.0 / sqrt(variance + p.eps)); }
}
