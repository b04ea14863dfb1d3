// dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), plus what was already collected for x. count vec4s.
//! read x: array<vec4<f32>>
//! read dy: array<vec4<f32>>
//! read stats: array<vec2<f32>>
//! read gamma: array<vec4<f32>>
//! read beta: array<vec4<f32>>
//! read means: array<vec2<f32>>
//#if ADDEND
//! read addend: array<vec4<f32>>
//#endif
//! write dx: array<vec4<f32>>
//! params perBatch: u32, count: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
  let c = i % $(C4)u;
  let groups = (i / p.perBatch) * $(GROUPS)u;
//#if ALIGNED
  let group = groups + c * 4u / $(CPG)u;
  let mean = vec4<f32>(stats[group].x);
  let rstd = vec4<f32>(stats[group].y);
  let mg = vec4<f32>(means[group].x);
  let mgx = vec4<f32>(means[group].y);
//#else
  let g0 = groups + (c * 4u) / $(CPG)u;
  let g1 = groups + (c * 4u + 1u) / $(CPG)u;
  let g2 = groups + (c * 4u + 2u) / $(CPG)u;
  let g3 = groups + (c * 4u + 3u) / $(CPG)u;
  let mean = vec4<f32>(stats[g0].x, stats[g1].x, stats[g2].x, stats[g3].x);
  let rstd = vec4<f32>(stats[g0].y, stats[g1].y, stats[g2].y, stats[g3].y);
  let mg = vec4<f32>(means[g0].x, means[g1].x, means[g2].x, means[g3].x);
  let mgx = vec4<f32>(means[g0].y, means[g1].y, means[g2].y, means[g3].y);
//#endif
  let xhat = (x[i] - mean) * rstd;
  var g = dy[i] * gamma[c];
//#if SILU
  let z = xhat * gamma[c] + beta[c];
  let sigmoid = 1.0 / (1.0 + exp(min(-z, vec4<f32>(80.0))));
  g *= sigmoid * (1.0 + z * (1.0 - sigmoid));
//#endif
  var result = rstd * (g - mg - xhat * mgx);
//#if ADDEND
  result += addend[i];
//#endif
  dx[i] = result;
}
