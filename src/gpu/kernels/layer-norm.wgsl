// Row-wise normalization: y = (x - mean) / sqrt(variance + eps) * gamma + beta; also stores mean and rstd.
// LANES invocations share a row. The row is read three times; the second and third time from cache.
//! read x: array<vec4<f32>>
//! read gamma: array<vec4<f32>>
//! read beta: array<vec4<f32>>
//! write y: array<vec4<f32>>
//! write stats: array<vec2<f32>>
//! params rows: u32, eps: f32

//#if SHARED
var<workgroup> lanes: array<f32, $(LANES * ROWS)>;

fn sumLanes(lane: u32, value: f32) -> f32 {
  workgroupBarrier();
  lanes[lane] = value;
  for (var half = $(LANES / 2)u; half > 0u; half = half / 2u) {
    workgroupBarrier();
    if (lane % $(LANES)u < half) { lanes[lane] += lanes[lane + half]; }
  }
  workgroupBarrier();
  return lanes[lane / $(LANES)u * $(LANES)u];
}
//#else
fn sumLanes(lane: u32, value: f32) -> f32 { return value; }
//#endif

@compute @workgroup_size($(LANES * ROWS))
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = (wg.y * grid.x + wg.x) * $(ROWS)u + lane / $(LANES)u;
  let first = lane % $(LANES)u;
  // Every invocation reaches the barriers; rows beyond the end repeat the last one and store nothing.
  let base = min(row, p.rows - 1u) * $(C4)u;
  var sum = vec4<f32>();
  for (var c = first; c < $(C4)u; c += $(LANES)u) { sum += x[base + c]; }
  let mean = sumLanes(lane, dot(sum, vec4<f32>(1.0))) * (1.0 / $C.0);
  var square = vec4<f32>();
  for (var c = first; c < $(C4)u; c += $(LANES)u) {
    let delta = x[base + c] - mean;
    square += delta * delta;
  }
  let variance = sumLanes(lane, dot(square, vec4<f32>(1.0))) * (1.0 / $C.0);
  let rstd = 1.0 / sqrt(variance + p.eps);
  if (row >= p.rows) { return; }
  for (var c = first; c < $(C4)u; c += $(LANES)u) { y[base + c] = (x[base + c] - mean) * rstd * gamma[c] + beta[c]; }
  if (first == 0u) { stats[row] = vec2<f32>(mean, rstd); }
}
