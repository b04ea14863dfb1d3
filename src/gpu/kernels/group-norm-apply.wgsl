// y = (x - mean) * rstd * gamma + beta, then SiLU if asked for. count vec4s.
//! read x: array<vec4<f32>>
//! read stats: array<vec2<f32>>
//! read gamma: array<vec4<f32>>
//! read beta: array<vec4<f32>>
//! write y: array<vec4<f32>>
//! params perBatch: u32, count: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
  let c = i % $(C4)u;
  let groups = (i / p.perBatch) * $(GROUPS)u;
//#if ALIGNED
  let s = stats[groups + c * 4u / $(CPG)u];
  let mean = vec4<f32>(s.x);
  let rstd = vec4<f32>(s.y);
//#else
  let s0 = stats[groups + (c * 4u) / $(CPG)u];
  let s1 = stats[groups + (c * 4u + 1u) / $(CPG)u];
  let s2 = stats[groups + (c * 4u + 2u) / $(CPG)u];
  let s3 = stats[groups + (c * 4u + 3u) / $(CPG)u];
  let mean = vec4<f32>(s0.x, s1.x, s2.x, s3.x);
  let rstd = vec4<f32>(s0.y, s1.y, s2.y, s3.y);
//#endif
  let z = (x[i] - mean) * rstd * gamma[c] + beta[c];
//#if SILU
  // The bound keeps exp finite; below it SiLU is zero in f32.
  y[i] = z / (1.0 + exp(min(-z, vec4<f32>(80.0))));
//#else
  y[i] = z;
//#endif
}
