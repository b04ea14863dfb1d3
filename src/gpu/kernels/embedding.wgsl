// y[b, t, :] = table[ids[b, t], :] + positions[t, :]; tables are f16 packed in u32 pairs, channels in vec4s.
// VECTORS: ids from the vocabulary's size on are rows of f32 vectors instead.
//! read ids: array<i32>
//! read table: array<vec2<u32>>
//! read positions: array<vec2<u32>>
//#if VECTORS
//! read vectors: array<vec4<f32>>
//#endif
//! write y: array<vec4<f32>>
//! params count: u32, channels: u32, tokens: u32, vocabulary: u32

fn unpack(v: vec2<u32>) -> vec4<f32> { return vec4<f32>(unpack2x16float(v.x), unpack2x16float(v.y)); }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i >= p.count) { return; }
  let c = i % p.channels;
  let row = i / p.channels;
  let id = u32(max(ids[row], 0));
  var own = unpack(table[min(id, p.vocabulary - 1u) * p.channels + c]);
//#if VECTORS
  if (id >= p.vocabulary) { own = vectors[(id - p.vocabulary) * p.channels + c]; }
//#endif
  y[i] = own + unpack(positions[(row % p.tokens) * p.channels + c]);
}
