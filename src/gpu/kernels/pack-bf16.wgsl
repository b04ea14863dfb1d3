// Four bf16 in two words: the upper halves of f32, rounded to nearest even.
fn unpack_bf16(stored: vec2<u32>) -> vec4<f32> {
  let low = bitcast<vec2<f32>>(stored << vec2(16u));
  let high = bitcast<vec2<f32>>(stored & vec2(0xffff0000u));
  return vec4(low.x, high.x, low.y, high.y);
}

fn pack_bf16(value: vec4<f32>) -> vec2<u32> {
  let bits = bitcast<vec4<u32>>(value);
  let rounded = bits + vec4(0x7fffu) + ((bits >> vec4(16u)) & vec4(1u));
  // Adding to infinity or NaN could carry into the sign.
  let kept = select(rounded, bits, (bits & vec4(0x7f800000u)) == vec4(0x7f800000u));
  return (kept.xz >> vec2(16u)) | (kept.yw & vec2(0xffff0000u));
}
