// Max norm of LoRA modules, one workgroup each: n = scale |up down|_F, and where n is above the limit, both factors times
// sqrt(limit / n). The product itself is never made: |up down|^2 = sum over pairs of ranks (a, b) of (up'up)[a,b] (down down')[a,b].
// norms[2m] = n after it, norms[2m + 1] = 1 where the module was scaled.
//! read table: array<u32>
//! read report: array<f32>
//! write down: array<f32>
//#if !SHARED
//! write up: array<f32>
//#endif
//! write norms: array<f32>
//! params limit: f32

const lanes = 256u;
var<workgroup> sums: array<f32, 256>;
var<workgroup> factor: f32;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x * 8u;
  let down_at = table[row];
  let up_at = table[row + 1u];
  let rank = table[row + 2u];
  let stride = table[row + 3u];
  let width = table[row + 4u];
  let rows = table[row + 5u];
  let place = table[row + 6u];
  let scale = bitcast<f32>(table[row + 7u]);

  // Pairs (a, a + d mod rank): those with d = rank / 2 come twice, all others but d = 0 stand for (b, a) too.
  var sum = 0.0;
  for (var i = lane; i < rank * (rank / 2u + 1u); i += lanes) {
    let a = i % rank;
    let d = i / rank;
    let b = (a + d) % rank;
    var in_down = 0.0;
    for (var j = 0u; j < width; j++) { in_down += down[down_at + a * width + j] * down[down_at + b * width + j]; }
    var in_up = 0.0;
    for (var j = 0u; j < rows; j++) {
//#if SHARED
      in_up += down[up_at + j * stride + a] * down[up_at + j * stride + b];
//#else
      in_up += up[up_at + j * stride + a] * up[up_at + j * stride + b];
//#endif
    }
    sum += select(2.0, 1.0, d == 0u || 2u * d == rank) * in_down * in_up;
  }
  sums[lane] = sum;
  workgroupBarrier();
  for (var half = lanes / 2u; half > 0u; half >>= 1u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0u) {
    let norm = scale * sqrt(max(sums[0], 0.0));
    let clamped = max(norm, p.limit / 2.0);
    // An update that is skipped leaves everything as it was.
    let ratio = select(min(clamped, p.limit) / clamped, 1.0, report[2] == 0.0);
    norms[2u * place] = norm * ratio;
    norms[2u * place + 1u] = select(0.0, 1.0, ratio != 1.0);
    factor = sqrt(ratio);
  }
  workgroupBarrier();
  if (factor == 1.0) { return; }
  for (var i = lane; i < rank * width; i += lanes) { down[down_at + i] *= factor; }
  for (var i = lane; i < rows * stride; i += lanes) {
//#if SHARED
    down[up_at + i] *= factor;
//#else
    up[up_at + i] *= factor;
//#endif
  }
}
