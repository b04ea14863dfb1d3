// The share of a module's rows that rank dropout leaves in this micro-batch. Follows dropout-numbers.wgsl.
//! write share: array<f32>
//! params rows: u32, layer: u32, rankBelow: u32

var<workgroup> counts: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
  var count = 0u;
  for (var row = thread; row < p.rows; row += 64u) {
    if (philox(row / 4u, p.layer, $(RANK_STREAM)u)[row % 4u] >= p.rankBelow) { count++; }
  }
  counts[thread] = count;
  workgroupBarrier();
  if (thread > 0u) { return; }
  for (var other = 1u; other < 64u; other++) { count += counts[other]; }
  share[0] = f32(count) / f32(p.rows);
}
