// What an adapter adds to a weight, before its scale, in blocks of 4 rows by one vec4 of columns. Shared by
// adapter-merge.wgsl and adapter-norm.wgsl, which follow this text. Weights are [rows][kernel position][channel] with
// the channels padded to a multiple of 4; factors have the same order and padding (generation/adapter-factors.ts).
//
//   KRONECKER  w1 [a][c] and w2 [b][kernel position][d]: row = (a, b), channel = (c, d)
//   HADAMARD   two low-rank products, multiplied by element
//   otherwise  one low-rank product: up [rank][rows], down [rank][columns]
//   HALF       factors are pairs of f16
//! read base: array<vec2<u32>>
//#if KRONECKER
//#if HALF
//! read factors: array<u32>
//#else
//! read factors: array<f32>
//#endif
//#else
//#if HALF
//! read factors: array<vec2<u32>>
//#else
//! read factors: array<vec4<f32>>
//#endif
//#endif
//! params rows: u32, cols4: u32, rowStart: u32, channels4: u32, scale: f32, strength: f32
//#if KRONECKER
//! params channels: u32, taps: u32, b: u32, c: u32, d: u32, second: u32
//#else
//! params rank: u32, rows4: u32
//#endif

struct Block {
  //#for i 4
  r$i: vec4<f32>,
  //#endfor
}

// Value of the f16 in the low half of `bits`. unpack2x16float may turn the smallest ones into zeros.
fn half(bits: u32) -> f32 {
  let magnitude = bits & 0x7fffu;
  let tiny = f32(magnitude) * 5.9604644775390625e-8;
  let value = select(bitcast<f32>((magnitude << 13u) + 0x38000000u), tiny, magnitude < 0x400u);
  return select(value, -value, (bits & 0x8000u) != 0u);
}

// A quad of the base's weight; `row` counts from the module's first.
fn baseQuad(row: u32, quad: u32) -> vec4<f32> {
  let packed = base[(p.rowStart + row) * p.cols4 + quad];
  return vec4(half(packed.x), half(packed.x >> 16u), half(packed.y), half(packed.y >> 16u));
}

//#if KRONECKER
fn factor(i: u32) -> f32 {
  //#if HALF
  return unpack2x16float(factors[i / 2u])[i % 2u];
  //#else
  return factors[i];
  //#endif
}

fn deltaBlock(rowBlock: u32, quad: u32) -> Block {
  let tap = quad / p.channels4;
  let channel = vec4(quad % p.channels4 * 4u) + vec4(0u, 1u, 2u, 3u);
  let isPadding = channel >= vec4(p.channels);
  let first = min(channel, vec4(p.channels - 1u)) / p.d;
  let second = vec4(p.second + tap * p.d) + channel % p.d;
  var block: Block;
  //#for i 4
  let row$i = min(rowBlock * 4u + $i, p.rows - 1u);
  let i$i = row$i / p.b * p.c + first;
  let j$i = row$i % p.b * p.taps * p.d + second;
  let w1_$i = vec4(factor(i$i.x), factor(i$i.y), factor(i$i.z), factor(i$i.w));
  let w2_$i = vec4(factor(j$i.x), factor(j$i.y), factor(j$i.z), factor(j$i.w));
  block.r$i = select(w1_$i * w2_$i, vec4(0.0), isPadding);
  //#endfor
  return block;
}
//#else
fn factor(i: u32) -> vec4<f32> {
  //#if HALF
  let packed = factors[i];
  return vec4(unpack2x16float(packed.x), unpack2x16float(packed.y));
  //#else
  return factors[i];
  //#endif
}

fn product(upAt: u32, downAt: u32, rowBlock: u32, quad: u32) -> Block {
  var sum: Block;
  var up = upAt + rowBlock;
  var down = downAt + quad;
  for (var k = 0u; k < p.rank; k++) {
    let d = factor(down);
    let u = factor(up);
    //#for i 4
    sum.r$i = fma(vec4(u[$i]), d, sum.r$i);
    //#endfor
    up += p.rows4;
    down += p.cols4;
  }
  return sum;
}

fn deltaBlock(rowBlock: u32, quad: u32) -> Block {
  let ups = p.rank * p.rows4;
  var block = product(0u, ups, rowBlock, quad);
  //#if HADAMARD
  let second = ups + p.rank * p.cols4;
  let other = product(second, second + ups, rowBlock, quad);
  //#for i 4
  block.r$i *= other.r$i;
  //#endfor
  //#endif
  return block;
}
//#endif
