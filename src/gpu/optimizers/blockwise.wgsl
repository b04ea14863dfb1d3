// AdamW, Lion or SGD (ADAM, LION, or neither) with state in PyTorch's element order. One workgroup for each block of
// BLOCK neighbours of a tensor. QUANTIZED: state is a code into the book times the largest magnitude of its block, as
// bitsandbytes keeps it: the update uses the new state before it is rounded. Otherwise state is f32.
// g = gradient * clip coefficient.
//! read scalars: array<f32>
//! read report: array<f32>
//! read table: array<u32>
//#if QUANTIZED
//! read book: array<f32>
//! write scales: array<f32>
//! write codes: array<u32>
//#else
//! write state: array<f32>
//#endif
//! write param: array<f32>
//! write grad: array<f32>
//! params rows: u32, blocks: u32, per: u32, base: u32

//#if QUANTIZED
var<workgroup> largest: array<f32, 256>;
var<workgroup> bytes: array<u32, 256>;

fn block_max(value: f32, lane: u32) -> f32 {
  largest[lane] = value;
  workgroupBarrier();
  for (var half = 128u; half > 0u; half >>= 1u) {
    if (lane < half) { largest[lane] = max(largest[lane], largest[lane + half]); }
    workgroupBarrier();
  }
  let result = largest[0];
  workgroupBarrier();
  return result;
}

// Nearest of the 256 values from `start` on.
fn nearest(x: f32, start: u32) -> u32 {
  var low = 0u;
  for (var step = 128u; step > 0u; step >>= 1u) {
    if (low + step <= 255u && book[start + low + step] <= x) { low += step; }
  }
  if (low == 255u) { return low; }
  return select(low, low + 1u, x > (book[start + low] + book[start + low + 1u]) * 0.5);
}

// A momentum keeps its sign: where rounding would turn a negative one into 0, it takes the value below.
fn nearest_signed(x: f32, momentum: f32) -> u32 {
  let code = nearest(x, 0u);
  if ((bitcast<u32>(book[code]) >> 31u) == (bitcast<u32>(momentum) >> 31u)) { return code; }
  return select(code - 1u, code + 1u, momentum > 0.0);
}
//#endif

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let block = wg.y * grid.x + wg.x;
  if (block >= p.blocks) { return; }
  let row = row_of(block, p.rows);
  let count = table[row + 1u];
  let first = (block - table[row]) * $(BLOCK)u + lane;
  if (report[2] == 0.0) {
    for (var e = first; e < min(count, first - lane + $(BLOCK)u); e += 256u) { grad[place_of(row, e)] = 0.0; }
    return;
  }
  let b1 = scalars[p.base];
  let b1_rest = scalars[p.base + 1u];
  let rate = scalars[p.base + 4u];
  let decay = scalars[p.base + 6u];
  var m: array<f32, $(PER)>;
//#if ADAM
  var v: array<f32, $(PER)>;
//#endif
  for (var k = 0u; k < p.per; k++) {
    let e = first + k * 256u;
    if (e >= count) { break; }
    let at = place_of(row, e);
    var g = grad[at] * report[1];
    grad[at] = 0.0;
//#if QUANTIZED
    let word = block * $(WORDS)u + k * 64u + lane / 4u;
    let shift = (lane % 4u) * 8u;
    let m0 = book[(codes[word] >> shift) & 255u] * scales[block * $(STATES)u];
//#else
    let place = table[row + 10u] + e * $(STATES)u;
    let m0 = state[place];
//#endif
//#if ADAM
//#if QUANTIZED
    let v0 = book[256u + ((codes[word + $(HALF)u] >> shift) & 255u)] * scales[block * 2u + 1u];
//#else
    let v0 = state[place + 1u];
//#endif
    m[k] = b1 * m0 + b1_rest * g;
    v[k] = scalars[p.base + 2u] * v0 + scalars[p.base + 3u] * g * g;
    param[at] = (param[at] - rate * (m[k] / (sqrt(v[k]) + scalars[p.base + 5u]))) * decay;
//#else
//#if LION
    param[at] = param[at] * decay - rate * sign(b1 * m0 + b1_rest * g);
    m[k] = scalars[p.base + 2u] * m0 + scalars[p.base + 3u] * g;
//#else
    m[k] = b1 * m0 + (g + scalars[p.base + 5u] * param[at]);
    param[at] = param[at] - rate * m[k];
//#endif
//#endif
//#if !QUANTIZED
    state[place] = m[k];
//#if ADAM
    state[place + 1u] = v[k];
//#endif
//#endif
  }
//#if QUANTIZED
  // Everybody has read the old codes and scales.
  storageBarrier();
  var most = 0.0;
  for (var k = 0u; k < p.per; k++) { most = max(most, abs(m[k])); }
  let scale = block_max(most, lane);
  for (var k = 0u; k < p.per; k++) {
    var code = 127u;
    if (scale > 0.0) { code = nearest_signed(m[k] / scale, m[k]); }
    store(code, block * $(WORDS)u + k * 64u, lane);
  }
//#if ADAM
  most = 0.0;
  for (var k = 0u; k < p.per; k++) { most = max(most, v[k]); }
  let second = block_max(most, lane);
  for (var k = 0u; k < p.per; k++) {
    var code = 0u;
    if (second > 0.0) { code = nearest(v[k] / second, 256u); }
    store(code, block * $(WORDS)u + $(HALF)u + k * 64u, lane);
  }
//#endif
  if (lane == 0u) {
    scales[block * $(STATES)u] = scale;
//#if ADAM
    scales[block * 2u + 1u] = second;
//#endif
  }
//#endif
}
//#if QUANTIZED

// Packs the lanes' codes four to a word.
fn store(code: u32, word: u32, lane: u32) {
  bytes[lane] = code << ((lane % 4u) * 8u);
  workgroupBarrier();
  if (lane % 4u == 0u) { codes[word + lane / 4u] = bytes[lane] | bytes[lane + 1u] | bytes[lane + 2u] | bytes[lane + 3u]; }
  workgroupBarrier();
}
//#endif
