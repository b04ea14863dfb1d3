// One workgroup per sample b: loss[b] = weight[b] * mean((pred - target)^2),
// dpred = 2 * grad_weight[b] * (pred - target) / n, where n = elements of a sample (width vec4s).
// guard[0] becomes 1 if a loss is infinite or NaN (a set exponent of all ones); the optimizer then skips its update.
//! read pred: array<vec4<f32>>
//! read target_: array<vec4<f32>>
//! read weights: array<vec2<f32>>
//! write loss: array<f32>
//! write dpred: array<vec4<f32>>
//! write guard: array<f32>
//! params width: u32

var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let b = wg.x;
  let n = f32(p.width * 4u);
  let weight = weights[b];
  var sum = 0.0;
  for (var i = lane; i < p.width; i += 256u) {
    let at = b * p.width + i;
    let delta = pred[at] - target_[at];
    sum += dot(delta, delta);
    dpred[at] = delta * (2.0 * weight.y / n);
  }
  partial[lane] = sum;
  workgroupBarrier();
  for (var half = 128u; half > 0u; half >>= 1u) {
    if (lane < half) { partial[lane] += partial[lane + half]; }
    workgroupBarrier();
  }
  if (lane == 0u) {
    let value = partial[0] * weight.x / n;
    loss[b] = value;
    if ((bitcast<u32>(value) & 0x7f800000u) == 0x7f800000u) { guard[0] = 1.0; }
  }
}
