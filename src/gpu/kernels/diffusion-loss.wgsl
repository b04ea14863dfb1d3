// One workgroup per sample b, with weights[b] = (weight of the loss, weight of the gradient, c of huber and smooth_l1, 0):
// loss[b] = weight * mean(element(d)), dpred = gradient weight * element'(d) / n, where d = pred - target and
// n = elements of a sample (width vec4s). element is d^2 (L2), |d| (L1), or BEND: 2*s*(sqrt(d^2 + c^2) - c) with s = c
// for huber and 1 for smooth_l1; written as 2*s*d^2 / (sqrt(d^2 + c^2) + c), which does not cancel where d is small.
// MASKED: each vec4, which is a pixel's four channels, counts as much as mask says; n stays the same.
// guard[0] becomes 1 if a loss is infinite or NaN (a set exponent of all ones); the optimizer then skips its update.
//! read pred: array<vec4<f32>>
//! read target_: array<vec4<f32>>
//! read weights: array<vec4<f32>>
//#if MASKED
//! read mask: array<f32>
//#endif
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
  //#if BEND
  let c = weight.z;
  //#if HUBER
  let scale = 2.0 * c;
  //#else
  let scale = 2.0;
  //#endif
  //#endif
  var sum = 0.0;
  for (var i = lane; i < p.width; i += 256u) {
    let at = b * p.width + i;
    let delta = pred[at] - target_[at];
    //#if L2
    //#if MASKED
    sum += dot(delta, delta) * mask[at];
    //#else
    sum += dot(delta, delta);
    //#endif
    dpred[at] = delta * (2.0 * weight.y / n);
    //#endif
    //#if L1
    //#if MASKED
    sum += dot(abs(delta), vec4<f32>(mask[at]));
    //#else
    sum += dot(abs(delta), vec4<f32>(1.0));
    //#endif
    dpred[at] = sign(delta) * (weight.y / n);
    //#endif
    //#if BEND
    let root = sqrt(delta * delta + c * c);
    //#if MASKED
    sum += dot(delta / (root + c), delta * scale) * mask[at];
    //#else
    sum += dot(delta / (root + c), delta * scale);
    //#endif
    dpred[at] = delta / root * (scale * weight.y / n);
    //#endif
    //#if MASKED
    dpred[at] *= mask[at];
    //#endif
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
