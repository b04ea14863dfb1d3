// The random numbers of a run's dropout, those of random/rng.ts: Philox-4x32 of a counter (block, micro-batch, layer, stream)
// under the run's seed, so a backward finds the same ones again. `draw` is [seed low, seed high, micro-batch, 0].
//! read draw: array<u32>

fn multiplyHigh(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let left = (a >> 16u) * (b & 0xffffu);
  let right = (a & 0xffffu) * (b >> 16u);
  let carry = (low >> 16u) + (left & 0xffffu) + (right & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u) + (carry >> 16u);
}

fn philox(block: u32, layer: u32, stream: u32) -> vec4<u32> {
  var c = vec4<u32>(block, draw[2], layer, stream);
  var key = vec2<u32>(draw[0], draw[1]);
  for (var round = 0u; round < 10u; round++) {
    let high0 = multiplyHigh(0xd2511f53u, c.x);
    let high1 = multiplyHigh(0xcd9e8d57u, c.z);
    c = vec4<u32>(high1 ^ c.y ^ key.x, 0xcd9e8d57u * c.z, high0 ^ c.w ^ key.y, 0xd2511f53u * c.x);
    key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

