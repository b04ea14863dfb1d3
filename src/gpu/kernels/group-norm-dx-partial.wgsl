// Sums of g and g * xhat of every channel over a chunk of rows, g = gradient at xhat (through gamma and SiLU). With PARAMS
// g is the gradient behind gamma: the sums are those of beta and gamma.
//! read x: array<vec4<f32>>
//! read dy: array<vec4<f32>>
//! read stats: array<vec2<f32>>
//! read gamma: array<vec4<f32>>
//! read beta: array<vec4<f32>>
//! write partial: array<vec4<f32>>
//! params rows: u32, chunks: u32, chunkRows: u32, count: u32

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i >= p.count) { return; }
  let c = i % $(C4)u;
  let part = i / $(C4)u;
  let batch = part / p.chunks;
  let first = (part % p.chunks) * p.chunkRows;
  let rows = min(p.chunkRows, p.rows - first);
  let base = (batch * p.rows + first) * $(C4)u + c;
  let s0 = stats[batch * $(GROUPS)u + (c * 4u) / $(CPG)u];
  let s1 = stats[batch * $(GROUPS)u + (c * 4u + 1u) / $(CPG)u];
  let s2 = stats[batch * $(GROUPS)u + (c * 4u + 2u) / $(CPG)u];
  let s3 = stats[batch * $(GROUPS)u + (c * 4u + 3u) / $(CPG)u];
  let mean = vec4<f32>(s0.x, s1.x, s2.x, s3.x);
  let rstd = vec4<f32>(s0.y, s1.y, s2.y, s3.y);
  let scale = gamma[c];
//#if SILU
  let shift = beta[c];
//#endif
  var sum = vec4<f32>();
  var dot = vec4<f32>();
  for (var r = 0u; r < rows; r++) {
    let at = base + r * $(C4)u;
    let xhat = (x[at] - mean) * rstd;
//#if PARAMS
    var g = dy[at];
//#else
    var g = dy[at] * scale;
//#endif
//#if SILU
    let z = xhat * scale + shift;
    let sigmoid = 1.0 / (1.0 + exp(min(-z, vec4<f32>(80.0))));
    g *= sigmoid * (1.0 + z * (1.0 - sigmoid));
//#endif
    sum += g;
    dot += g * xhat;
  }
  partial[part * $(2 * C4)u + c] = sum;
  partial[part * $(2 * C4)u + $(C4)u + c] = dot;
}
