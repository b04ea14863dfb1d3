// dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), g = dy * gamma, plus what was already collected for x.
//! read x: array<vec4<f32>>
//! read dy: array<vec4<f32>>
//! read stats: array<vec2<f32>>
//! read gamma: array<vec4<f32>>
//#if ADDEND
//! read addend: array<vec4<f32>>
//#endif
//! write dx: array<vec4<f32>>
//! params rows: u32

//#if SHARED
var<workgroup> lanes: array<vec2<f32>, $(LANES * ROWS)>;

fn sumLanes(lane: u32, value: vec2<f32>) -> vec2<f32> {
  lanes[lane] = value;
  for (var half = $(LANES / 2)u; half > 0u; half = half / 2u) {
    workgroupBarrier();
    if (lane % $(LANES)u < half) { lanes[lane] += lanes[lane + half]; }
  }
  workgroupBarrier();
  return lanes[lane / $(LANES)u * $(LANES)u];
}
//#else
fn sumLanes(lane: u32, value: vec2<f32>) -> vec2<f32> { return value; }
//#endif

@compute @workgroup_size($(LANES * ROWS))
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = (wg.y * grid.x + wg.x) * $(ROWS)u + lane / $(LANES)u;
  let first = lane % $(LANES)u;
  let safeRow = min(row, p.rows - 1u);
  let base = safeRow * $(C4)u;
  let mean = stats[safeRow].x;
  let rstd = stats[safeRow].y;
  var sum = vec4<f32>();
  var product = vec4<f32>();
  for (var c = first; c < $(C4)u; c += $(LANES)u) {
    let g = dy[base + c] * gamma[c];
    sum += g;
    product += g * ((x[base + c] - mean) * rstd);
  }
  let means = sumLanes(lane, vec2<f32>(dot(sum, vec4<f32>(1.0)), dot(product, vec4<f32>(1.0)))) * (1.0 / $C.0);
  if (row >= p.rows) { return; }
  for (var c = first; c < $(C4)u; c += $(LANES)u) {
    let xhat = (x[base + c] - mean) * rstd;
    var result = rstd * (dy[base + c] * gamma[c] - means.x - xhat * means.y);
//#if ADDEND
    result += addend[base + c];
//#endif
    dx[base + c] = result;
  }
}
