// Adds up what the first pass over the parameters found, in a fixed order, and raises d. RULE says how the estimate
// comes of the sums: see the optimizers' files. head is explained in adaptive-begin.wgsl.
//! read partials: array<vec4<f32>>
//! write head: array<f32>
//! params count: u32

@compute @workgroup_size(1)
fn main() {
  if (head[9] == 0.0) { return; }
  var sum = vec4<f32>(0.0);
  for (var i = 0u; i < p.count; i++) { sum += partials[i]; }
  // Nothing has moved yet and nothing will: no gradient, or no rate.
  if (sum.y == 0.0) { return; }
  let y = head[10];
  let b3 = head[16u + 5u];
  let b3_rest = head[16u + 6u];
  let growth = head[16u + 11u];
  var d = head[0];
  var numerator = head[2];
  var estimate = d;
//#if GRADIENT_NORM
  numerator = b3 * numerator + y * y * sum.x * b3_rest;
  estimate = (sum.z / b3_rest - numerator) / sum.y;
//#endif
//#if DUAL_NORM
  numerator += y * y * sum.x;
  estimate = (sum.z - numerator) / sum.y;
//#endif
//#if PRODUCT
  numerator = b3 * numerator + b3_rest * y * sum.x;
  estimate = numerator / (b3_rest * sum.y) * head[16u + 10u];
//#endif
//#if DUAL_PRODUCT
  numerator += y * sum.x;
  estimate = 2.0 * numerator / sqrt(sum.y);
//#endif
//#if DISTANCE
  numerator = b3 * numerator + d / head[16u + 9u] * y * sum.x;
  estimate = head[16u + 10u] * numerator / sum.y;
//#endif
  head[2] = numerator;
  if (head[14] > 0.0) {
//#if DISTANCE
    if (d == head[16u + 9u]) { d = max(d, estimate); }
    head[1] = max(head[1], estimate);
    d = select(min(head[1], d * growth), head[1], growth == 0.0);
//#else
    d = max(d, select(min(estimate, d * growth), estimate, growth == 0.0));
//#endif
  }
  head[0] = d;
  head[3] += 1.0;
  head[5] = head[5] * head[17] + head[18];
  head[6] = head[6] * head[19] + head[20];
  head[12] = 1.0;
  head[15] = sum.y;
}
