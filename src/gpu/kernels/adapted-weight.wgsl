// The part of an adapted weight that belongs to one module: rows of y = w + keep * scale * delta, or with BACK what comes
// back to its delta, d = keep * scale * dy. A thread has 4 channels of a row and tap. `keep` is 0 for rows that dropout
// takes in this micro-batch (DROP; follows dropout-numbers.wgsl then), otherwise 1.
//
//   SHARE      what rank dropout leaves is divided by its share of the rows
//   F16        w has two f16 to a u32
//   TAPS_LAST  delta is [row][channel][tap] instead of [row][tap][channel]
//! read source: array<f32>
//#if SHARE
//! read share: array<f32>
//#endif
//#if BACK
//! write d: array<f32>
//#else
//#if F16
//! read w: array<vec2<u32>>
//#else
//! read w: array<vec4<f32>>
//#endif
//! write y: array<vec4<f32>>
//#endif
//! params count: u32, firstRow: u32, taps: u32, channels4: u32, scale: f32, layer: u32, rankBelow: u32, moduleBelow: u32

fn keep(row: u32) -> f32 {
  var kept = 1.0;
  //#if DROP
  let ofRows = philox(row / 4u, p.layer, $(RANK_STREAM)u);
  //#if SHARE
  kept = 1.0 / max(share[0], 1e-6);
  //#endif
  if (ofRows[row % 4u] < p.rankBelow) { kept = 0.0; }
  if (philox(0u, p.layer, $(MODULE_STREAM)u).x < p.moduleBelow) { kept = 0.0; }
  //#endif
  return kept;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i >= p.count) { return; }
  let row = i / (p.taps * p.channels4);
  //#if TAPS_LAST
  let at = (row * p.channels4 + i % p.channels4) * 4u * p.taps + i / p.channels4 % p.taps;
  let step = p.taps;
  //#else
  let at = i * 4u;
  let step = 1u;
  //#endif
  let factor = keep(row) * p.scale;
  let whole = p.firstRow * p.taps * p.channels4 + i;
  //#if BACK
  //#for j 4
  d[at + $j * step] = factor * source[whole * 4u + $j];
  //#endfor
  //#else
  let delta = vec4<f32>(source[at], source[at + step], source[at + 2u * step], source[at + 3u * step]);
  //#if F16
  let base = vec4<f32>(unpack2x16float(w[whole].x), unpack2x16float(w[whole].y));
  //#else
  let base = w[whole];
  //#endif
  y[whole] = fma(vec4(factor), delta, base);
  //#endif
}
