// Mean and centred square sum of every channel over a chunk of rows (Welford's update; the channels share the count).
// One invocation per four channels of a chunk: neighbours read neighbouring addresses.
//! read x: array<vec4<f32>>
//! write partial: array<vec4<f32>>
//! params rows: u32, chunks: u32, chunkRows: u32, count: u32

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i >= p.count) { return; }
  let c = i % $(C4)u;
  let part = i / $(C4)u;
  let first = (part % p.chunks) * p.chunkRows;
  let rows = min(p.chunkRows, p.rows - first);
  let base = ((part / p.chunks) * p.rows + first) * $(C4)u + c;
  var mean = vec4<f32>();
  var square = vec4<f32>();
  for (var r = 0u; r < rows; r++) {
    let value = x[base + r * $(C4)u];
    let delta = value - mean;
    mean += delta * (1.0 / f32(r + 1u));
    square += delta * (value - mean);
  }
  partial[part * $(2 * C4)u + c] = mean;
  partial[part * $(2 * C4)u + $(C4)u + c] = square;
}
