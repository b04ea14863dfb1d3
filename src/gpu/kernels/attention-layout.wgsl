// Where queries, keys and values lie: column ranges of two row-major tensors (which may be the same one).
// Strides and offsets count vec4s; batchHead = batch * heads + head, of which a dispatch
// handles those from firstHead on. Put in front of every attention kernel.
//! read q: array<vec4<f32>>
//! read kv: array<vec4<f32>>
//! params firstHead: u32, heads: u32, queries: u32, keys: u32, d4: u32, qStride: u32, kvStride: u32, qOffset: u32, kOffset: u32, vOffset: u32, scale: f32

const log2e = 1.4426950408889634;
/// Score of a pair that does not count: exp2 of it is zero whatever is added.
const masked = -1e30;

fn queryBase(batchHead: u32, row: u32) -> u32 {
  return (batchHead / p.heads * p.queries + row) * p.qStride + p.qOffset + batchHead % p.heads * $(D4)u;
}
fn keyBase(batchHead: u32, row: u32) -> u32 {
  return (batchHead / p.heads * p.keys + row) * p.kvStride + p.kOffset + batchHead % p.heads * $(D4)u;
}
fn valueBase(batchHead: u32, row: u32) -> u32 {
  return (batchHead / p.heads * p.keys + row) * p.kvStride + p.vOffset + batchHead % p.heads * $(D4)u;
}
/// Of o and its gradient, [batch, queries, heads * D].
fn outputBase(batchHead: u32, row: u32) -> u32 {
  return ((batchHead / p.heads * p.queries + row) * p.heads + batchHead % p.heads) * $(D4)u;
}
