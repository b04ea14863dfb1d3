// Drops values of an adapter's rank-wide activations h [rows][groups * rank], in place: single ones, ranks of a batch
// entry, or a whole layer, and scales what is left. Follows dropout-numbers.wgsl.
//! write h: array<vec4<f32>>
//! params rows: u32, sampleRows: u32, width4: u32, rank4: u32, layer: u32, scale: f32
//! params networkBelow: u32, rankBelow: u32, moduleBelow: u32

fn keep(numbers: vec4<u32>, below: u32) -> vec4<f32> {
  return select(vec4<f32>(0.0), vec4<f32>(1.0), numbers >= vec4<u32>(below));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i >= p.rows * p.width4) { return; }
  var value = h[i] * p.scale;
  //#if NETWORK
  value *= keep(philox(i, p.layer, $(NETWORK_STREAM)u), p.networkBelow);
  //#endif
  //#if RANK
  value *= keep(philox(i / p.width4 / p.sampleRows * p.width4 + i % p.width4, p.layer, $(RANK_STREAM)u), p.rankBelow);
  //#endif
  //#if MODULE
  let group = i % p.width4 / p.rank4;
  let numbers = philox(group / 4u, p.layer, $(MODULE_STREAM)u);
  value *= select(0.0, 1.0, numbers[group % 4u] >= p.moduleBelow);
  //#endif
  h[i] = value;
}
