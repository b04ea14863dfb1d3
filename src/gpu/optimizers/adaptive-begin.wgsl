// Begins an update of an optimizer that estimates its own step size d: what the rest of the update reads is put into
// head. Its first numbers are kept from update to update:
//   0 d, 1 largest d, 2 running numerator, 3 updates done, 4 called before, 5 and 6 1 - b1^k and 1 - b2^k, 7 first norm
// and those behind them are of this update:
//   8 clip coefficient, 9 everything is finite, 10 y (the step), 11 d before, 12 parameters move, 13 first call, 14 rate
// From 16 on it holds the scalars, laid out in adaptive.ts.
//! read scalars: array<f32>
//! read report: array<f32>
//! write head: array<f32>

@compute @workgroup_size(1)
fn main() {
  for (var i = 0u; i < 16u; i++) { head[16u + i] = scalars[i]; }
  head[8] = report[1];
  head[9] = report[2];
  head[12] = 0.0;
  if (report[2] == 0.0) { return; }
  head[13] = select(0.0, 1.0, head[4] == 0.0);
  if (head[4] == 0.0) {
    head[0] = scalars[9];
    head[1] = scalars[9];
    head[4] = 1.0;
  }
  head[11] = head[0];
  head[14] = scalars[0];
  var y = head[0] * scalars[0];
//#if BIAS
  // 1 - b^(k+1) from 1 - b^k: a power close to 1 would lose its digits.
  let first = head[5] * scalars[1] + scalars[2];
  let second = head[6] * scalars[3] + scalars[4];
  y *= sqrt(second) / first;
//#endif
//#if NORM
  if (head[3] == 0.0) { head[7] = report[0] * report[1]; }
  y = select(0.0, y / head[7], head[7] > 0.0);
//#endif
  head[10] = y;
}
