// Four f16 in two words. Rounds to nearest even in integers, because WGSL leaves open how pack2x16float rounds and what it
// makes of values out of range: here they become infinite, which is what a loss scale is told by.
fn unpack_f16(stored: vec2<u32>) -> vec4<f32> {
  return vec4(unpack2x16float(stored.x), unpack2x16float(stored.y));
}

fn pack_f16(value: vec4<f32>) -> vec2<u32> {
  let bits = bitcast<vec4<u32>>(value);
  let magnitude = bits & vec4(0x7fffffffu);
  let even = (magnitude >> vec4(13u)) & vec4(1u);
  let normal = min((magnitude - vec4(0x38000000u) + vec4(0xfffu) + even) >> vec4(13u), vec4(0x7c00u));
  // One ulp of numbers from 0.5 on is the smallest f16.
  let small = bitcast<vec4<u32>>(abs(value) + vec4(0.5)) - vec4(0x3f000000u);
  let half = select(normal, small, magnitude < vec4(0x38800000u)) | ((bits >> vec4(16u)) & vec4(0x8000u));
  return half.xz | (half.yw << vec2(16u));
}
