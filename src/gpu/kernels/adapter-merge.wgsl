// weights = f16(before + strength * difference), rounded once, to nearest even. Follows adapter-delta.wgsl.
//
//   DORA          the adapted weight is scaled by a ratio per row, or with BY_CHANNEL per input channel
//   FROM_BASE     `before` is the base; otherwise what other adapters left in `sums`
//   TO_WEIGHTS    the result is the weight; otherwise it goes to `sums` for the next adapter
//
// A workgroup makes 16 rows by 64 columns, an invocation 4 rows by 4.
//#if DORA
//#if BY_CHANNEL
//! read ratios: array<vec4<f32>>
//#else
//! read ratios: array<f32>
//#endif
//#endif
//#if TO_WEIGHTS
//#if !FROM_BASE
//! read sums: array<vec4<f32>>
//#endif
//! write weights: array<vec2<u32>>
//#else
//! write sums: array<vec4<f32>>
//#endif

//#if TO_WEIGHTS
// f16 bits. Values beyond the range become the largest number: an infinity would turn every picture black.
// Done in integers because WGSL leaves open how pack2x16float rounds and whether it keeps the smallest numbers.
fn halfBits(values: vec4<f32>) -> vec4<u32> {
  let bits = bitcast<vec4<u32>>(values);
  let magnitude = min(bits & vec4(0x7fffffffu), vec4(0x477fe000u));
  let normal = (magnitude - vec4(0x38000000u) + vec4(0xfffu) + ((magnitude >> vec4(13u)) & vec4(1u))) >> vec4(13u);
  let shift = min(vec4(126u) - (magnitude >> vec4(23u)), vec4(25u));
  let mantissa = (magnitude & vec4(0x7fffffu)) | vec4(0x800000u);
  let kept = mantissa >> shift;
  let rest = mantissa & ((vec4(1u) << shift) - vec4(1u));
  let tie = vec4(1u) << (shift - vec4(1u));
  let isUp = (rest > tie) | ((rest == tie) & ((kept & vec4(1u)) == vec4(1u)));
  let small = kept + select(vec4(0u), vec4(1u), isUp);
  return ((bits >> vec4(16u)) & vec4(0x8000u)) | select(normal, small, magnitude < vec4(0x38800000u));
}
//#endif

fn store(row: u32, quad: u32, delta: vec4<f32>) {
  if (row >= p.rows) { return; }
  //#if DORA
  let w = baseQuad(row, quad);
  //#if BY_CHANNEL
  let ratio = ratios[quad % p.channels4];
  //#else
  let ratio = vec4(ratios[row]);
  //#endif
  let difference = ratio * fma(vec4(p.scale), delta, w) - w;
  //#else
  let difference = p.scale * delta;
  //#endif
  let at = row * p.cols4 + quad;
  //#if FROM_BASE
  let before = baseQuad(row, quad);
  //#else
  let before = sums[at];
  //#endif
  let after = fma(vec4(p.strength), difference, before);
  //#if TO_WEIGHTS
  let h = halfBits(after);
  weights[p.rowStart * p.cols4 + at] = vec2(h.x | (h.y << 16u), h.z | (h.w << 16u));
  //#else
  sums[at] = after;
  //#endif
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wg: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let tile = wg.y * grid.x + wg.x;
  let colTiles = (p.cols4 + 15u) / 16u;
  let quad = tile % colTiles * 16u + thread % 16u;
  let rowBlock = tile / colTiles * 4u + thread / 16u;
  if (quad >= p.cols4 || rowBlock * 4u >= p.rows) { return; }
  let block = deltaBlock(rowBlock, quad);
  //#for i 4
  store(rowBlock * 4u + $i, quad, block.r$i);
  //#endfor
}
