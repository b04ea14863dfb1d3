// Nearest resize of NHWC maps, channels in vec4s: source row = floor(i * in_h / out_h).
// The backward sums every output pixel that read a given input pixel.
//! read x: array<vec4<f32>>
//! write y: array<vec4<f32>>
//! params count: u32, channels: u32, in_h: u32, in_w: u32, out_h: u32, out_w: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
  let c = i % p.channels;
  let pixel = i / p.channels;
//#if BACKWARD
  let col = pixel % p.in_w;
  let row = (pixel / p.in_w) % p.in_h;
  let batch = pixel / (p.in_w * p.in_h);
  // Outputs j with floor(j * in / out) == row are those in [ceil(row * out / in), ceil((row + 1) * out / in)).
  let r0 = (row * p.out_h + p.in_h - 1u) / p.in_h;
  let r1 = ((row + 1u) * p.out_h + p.in_h - 1u) / p.in_h;
  let c0 = (col * p.out_w + p.in_w - 1u) / p.in_w;
  let c1 = ((col + 1u) * p.out_w + p.in_w - 1u) / p.in_w;
  var sum = vec4<f32>(0.0);
  for (var r = r0; r < r1; r++) {
    for (var k = c0; k < c1; k++) {
      sum += x[((batch * p.out_h + r) * p.out_w + k) * p.channels + c];
    }
  }
  y[i] = sum;
//#else
  let col = pixel % p.out_w;
  let row = (pixel / p.out_w) % p.out_h;
  let batch = pixel / (p.out_w * p.out_h);
  let from_row = row * p.in_h / p.out_h;
  let from_col = col * p.in_w / p.out_w;
  y[i] = x[((batch * p.in_h + from_row) * p.in_w + from_col) * p.channels + c];
//#endif
}
