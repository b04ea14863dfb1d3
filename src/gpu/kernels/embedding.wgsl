// y[b, t, :] = table[ids[b, t], :] + positions[t, :]; channels in vec4s. Tables are f16 packed in u32 pairs, or f32.
// VECTORS: ids from the vocabulary's size on are rows of f32 vectors instead.
// REST: of the table only the first p.tableRows rows are in `table`, the others in `rest`.
//! read ids: array<i32>
//#if F16
//! read table: array<vec2<u32>>
//! read positions: array<vec2<u32>>
//#else
//! read table: array<vec4<f32>>
//! read positions: array<vec4<f32>>
//#endif
//#if REST
//! read rest: array<vec4<f32>>
//#endif
//#if VECTORS
//! read vectors: array<vec4<f32>>
//#endif
//! write y: array<vec4<f32>>
//! params count: u32, channels: u32, tokens: u32, vocabulary: u32, tableRows: u32

//#if F16
fn unpack(v: vec2<u32>) -> vec4<f32> { return vec4<f32>(unpack2x16float(v.x), unpack2x16float(v.y)); }
//#else
fn unpack(v: vec4<f32>) -> vec4<f32> { return v; }
//#endif

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i >= p.count) { return; }
  let c = i % p.channels;
  let row = i / p.channels;
  let id = u32(max(ids[row], 0));
  var own = unpack(table[min(id, p.tableRows - 1u) * p.channels + c]);
//#if REST
  if (id >= p.tableRows) { own = rest[(min(id, p.vocabulary - 1u) - p.tableRows) * p.channels + c]; }
//#endif
//#if VECTORS
  if (id >= p.vocabulary) { own = vectors[(id - p.vocabulary) * p.channels + c]; }
//#endif
  y[i] = own + unpack(positions[(row % p.tokens) * p.channels + c]);
}
