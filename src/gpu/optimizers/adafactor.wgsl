// Adafactor (transformers' Adafactor), one workgroup for each tensor of a table; a tensor is `matrices` of rows x cols.
//   R = b R + (1-b) mean over columns of q,  C = b C + (1-b) mean over rows of q,  q = g^2 + eps1
//   u = g / sqrt(R / mean(R) * C);  u /= max(1, rms(u) / clip);  p -= wd a p + a u,  a = rate * max(eps2, rms(p))
// With MOMENTUM, m = b1 m + (1-b1) a u is what p moves by. g = gradient * clip coefficient.
//! read scalars: array<f32>
//! read report: array<f32>
//! read table: array<u32>
//! write param: array<f32>
//! write grad: array<f32>
//! write factors: array<f32>
//#if MOMENTUM
//! write state0: array<f32>
//#endif
//! params rows: u32, base: u32

var<workgroup> sums: array<f32, 256>;

// Adds the values of all lanes, in a fixed order.
fn total(value: f32, lane: u32) -> f32 {
  sums[lane] = value;
  workgroupBarrier();
  for (var half = 128u; half > 0u; half >>= 1u) {
    if (lane < half) { sums[lane] += sums[lane + half]; }
    workgroupBarrier();
  }
  let result = sums[0];
  workgroupBarrier();
  return result;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let tensor = wg.y * grid.x + wg.x;
  if (tensor >= p.rows) { return; }
  let row = tensor * WIDTH;
  let count = table[row + 1u];
  let n1 = table[row + 3u];
  let rows = table[row + 4u];
  let cols = table[row + 5u];
  let line = table[row + 8u];
  let step = table[row + 9u];
  let matrices = count / (rows * cols);
  let row_factors = table[row + 10u];
  let column_factors = row_factors + matrices * rows;
  if (report[2] == 0.0) {
    for (var e = lane; e < count; e += 256u) { grad[place_of(row, e)] = 0.0; }
    return;
  }
  let coefficient = report[1];
  let rate = scalars[p.base];
  let b = scalars[p.base + 1u];
  let fresh = scalars[p.base + 2u];
  let eps1 = scalars[p.base + 3u];

  var squares = 0.0;
  for (var e = lane; e < count; e += 256u) {
    let value = param[place_of(row, e)];
    squares += value * value;
  }
  let rms = sqrt(total(squares, lane) / f32(count));

  // Lanes side by side take neighbouring columns, and where there are few columns several rows at a time.
  var across = 1u;
  while (across < cols && across < 256u) { across <<= 1u; }
  let down = 256u / across;
  let mine = lane % across;
  let group = lane / across;
  let start = table[row + 2u];
  var mean = 1.0;
  if (matrices == 1u) {
    for (var first = 0u; first < rows; first += down) {
      let i = first + group;
      var sum = 0.0;
      if (i < rows) {
        for (var j = mine; j < cols; j += across) {
          let g = grad[start + i * line + j * step] * coefficient;
          sum += g * g + eps1;
        }
      }
      sums[lane] = sum;
      workgroupBarrier();
      for (var half = across / 2u; half > 0u; half >>= 1u) {
        if (mine < half) { sums[lane] += sums[lane + half]; }
        workgroupBarrier();
      }
      if (mine == 0u && i < rows) {
        factors[row_factors + i] = b * factors[row_factors + i] + fresh * sums[lane] / f32(cols);
      }
      workgroupBarrier();
    }
    for (var first = 0u; first < cols; first += across) {
      let j = first + mine;
      var sum = 0.0;
      if (j < cols) {
        for (var i = group; i < rows; i += down) {
          let g = grad[start + i * line + j * step] * coefficient;
          sum += g * g + eps1;
        }
      }
      sums[lane] = sum;
      workgroupBarrier();
      for (var half = down / 2u; half > 0u; half >>= 1u) {
        if (group < half) { sums[lane] += sums[lane + half * across]; }
        workgroupBarrier();
      }
      if (group == 0u && j < cols) {
        factors[column_factors + j] = b * factors[column_factors + j] + fresh * sums[lane] / f32(rows);
      }
      workgroupBarrier();
    }
    storageBarrier();
    var sum = 0.0;
    for (var i = lane; i < rows; i += 256u) { sum += factors[row_factors + i]; }
    mean = total(sum, lane) / f32(rows);
  } else {
    for (var m = lane; m < matrices; m += 256u) {
      let at = start + (m / n1) * table[row + 6u] + (m % n1) * table[row + 7u];
      for (var i = 0u; i < rows; i++) {
        var sum = 0.0;
        for (var j = 0u; j < cols; j++) {
          let g = grad[at + i * line + j * step] * coefficient;
          sum += g * g + eps1;
        }
        let k = row_factors + m * rows + i;
        factors[k] = b * factors[k] + fresh * sum / f32(cols);
      }
      for (var j = 0u; j < cols; j++) {
        var sum = 0.0;
        for (var i = 0u; i < rows; i++) {
          let g = grad[at + i * line + j * step] * coefficient;
          sum += g * g + eps1;
        }
        let k = column_factors + m * cols + j;
        factors[k] = b * factors[k] + fresh * sum / f32(rows);
      }
    }
    storageBarrier();
  }

  // The update takes the gradient's place until it is applied.
  squares = 0.0;
  for (var e = lane; e < count; e += 256u) {
    let j = e % cols;
    let i = (e / cols) % rows;
    let m = e / (rows * cols);
    var scale = mean;
    if (matrices != 1u) {
      scale = 0.0;
      for (var k = 0u; k < rows; k++) { scale += factors[row_factors + m * rows + k]; }
      scale /= f32(rows);
    }
    let at = place_of(row, e);
    let r = inverseSqrt(factors[row_factors + m * rows + i] / scale);
    let u = grad[at] * coefficient * r * inverseSqrt(factors[column_factors + m * cols + j]);
    grad[at] = u;
    squares += u * u;
  }
  let length = sqrt(total(squares, lane) / f32(count));
  var alpha = rate;
  if (scalars[p.base + 5u] != 0.0) { alpha *= max(scalars[p.base + 4u], rms); }
  let shorter = max(1.0, length / scalars[p.base + 6u]);
  let decay = scalars[p.base + 7u] * alpha;
  for (var e = lane; e < count; e += 256u) {
    let at = place_of(row, e);
    var u = grad[at] / shorter * alpha;
    grad[at] = 0.0;
//#if MOMENTUM
    u = scalars[p.base + 8u] * state0[at] + scalars[p.base + 9u] * u;
    state0[at] = u;
//#endif
    param[at] = param[at] - decay * param[at] - u;
  }
}
