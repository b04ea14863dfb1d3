// report = [norm, clip coefficient, finite flag, sum of squares]. One invocation adds the 64 partial sums to what
// earlier buffers gave, in fixed order. settings[0] = max_grad_norm (0: no clipping),
// settings[1] = 1 / loss scale: gradients, their norm and the sum are as scaled, the coefficient undoes it.
// The norm is finite iff every gradient is; a set exponent of all ones means infinity or NaN (WGSL's own comparisons
// may assume there are none). guard[0] = 1 says that a loss was not finite; it is cleared for the next update.
//! read partial: array<f32>
//#if CONTINUED
//! read before: array<f32>
//#endif
//! read settings: array<f32>
//! write report: array<f32>
//! write guard: array<f32>

@compute @workgroup_size(1)
fn main() {
  var sum = 0.0;
//#if CONTINUED
  sum = before[3];
//#endif
  for (var i = 0u; i < 64u; i++) { sum += partial[i]; }
  let norm = sqrt(sum);
  let finite = (bitcast<u32>(norm) & 0x7f800000u) != 0x7f800000u && guard[0] == 0.0;
  var coefficient = 1.0;
  if (settings[0] > 0.0) { coefficient = min(1.0, settings[0] / (norm * settings[1] + 1e-6)); }
  report[0] = norm;
  report[1] = coefficient * settings[1];
  report[2] = select(0.0, 1.0, finite);
  report[3] = sum;
//#if LAST
  guard[0] = 0.0;
//#endif
}
