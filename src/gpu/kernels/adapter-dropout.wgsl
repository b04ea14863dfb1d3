// Drops values of an adapter's rank-wide activations h [rows][groups * rank], in place: single ones, ranks of a batch
// entry, or a whole layer, and scales what is left. The numbers are those of random/rng.ts: Philox-4x32 of a counter
// (block, micro-batch, layer, stream) under the run's seed, so a backward finds the same ones again.
//! read draw: array<u32>
//! write h: array<vec4<f32>>
//! params rows: u32, sampleRows: u32, width4: u32, rank4: u32, layer: u32, scale: f32
//! params networkBelow: u32, rankBelow: u32, moduleBelow: u32

fn multiplyHigh(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let left = (a >> 16u) * (b & 0xffffu);
  let right = (a & 0xffffu) * (b >> 16u);
  let carry = (low >> 16u) + (left & 0xffffu) + (right & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u) + (carry >> 16u);
}

fn philox(block: u32, stream: u32) -> vec4<u32> {
  var c = vec4<u32>(block, draw[2], p.layer, stream);
  var key = vec2<u32>(draw[0], draw[1]);
  for (var round = 0u; round < 10u; round++) {
    let high0 = multiplyHigh(0xd2511f53u, c.x);
    let high1 = multiplyHigh(0xcd9e8d57u, c.z);
    c = vec4<u32>(high1 ^ c.y ^ key.x, 0xcd9e8d57u * c.z, high0 ^ c.w ^ key.y, 0xd2511f53u * c.x);
    key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

fn keep(numbers: vec4<u32>, below: u32) -> vec4<f32> {
  return select(vec4<f32>(0.0), vec4<f32>(1.0), numbers >= vec4<u32>(below));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i >= p.rows * p.width4) { return; }
  var value = h[i] * p.scale;
  //#if NETWORK
  value *= keep(philox(i, $(NETWORK_STREAM)u), p.networkBelow);
  //#endif
  //#if RANK
  value *= keep(philox(i / p.width4 / p.sampleRows * p.width4 + i % p.width4, $(RANK_STREAM)u), p.rankBelow);
  //#endif
  //#if MODULE
  let group = i % p.width4 / p.rank4;
  let numbers = philox(group / 4u, $(MODULE_STREAM)u);
  value *= select(0.0, 1.0, numbers[group % 4u] >= p.moduleBelow);
  //#endif
  h[i] = value;
}
