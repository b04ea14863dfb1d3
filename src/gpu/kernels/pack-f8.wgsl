// Four e4m3 (float8_e4m3fn) in a word; only read. The exponent's bias is 7 where f32 has 127; numbers without a leading bit
// are multiples of 2^-9.
fn unpack_f8(stored: u32) -> vec4<f32> {
  let bits = vec4(stored) >> vec4(0u, 8u, 16u, 24u);
  let magnitude = bits & vec4(0x7fu);
  let normal = bitcast<vec4<f32>>((magnitude << vec4(20u)) + vec4(0x3c000000u));
  let value = select(normal, vec4<f32>(magnitude) * 0.001953125, magnitude < vec4(8u));
  return select(value, -value, (bits & vec4(0x80u)) != vec4(0u));
}
