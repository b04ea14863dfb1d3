// A caption's chunks [B*n, length, C] as one text [B, n*(length-2)+2, C]: the start of the first, what is inside of each, the end
// of the last; channels in vec4s. The backward gives starts and ends that were left out a gradient of zero.
//! read x: array<vec4<f32>>
//#if WEIGHTED
//! read weights: array<f32>
//#endif
//! write y: array<vec4<f32>>
//! params count: u32, channels: u32, chunks: u32, length: u32

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 256u + lane;
  if (i >= p.count) { return; }
  let c = i % p.channels;
  let row = i / p.channels;
  let inner = p.length - 2u;
  let joined = inner * p.chunks + 2u;
//#if BACKWARD
  let at = row % p.length;
  let chunk = (row / p.length) % p.chunks;
  let batch = row / (p.length * p.chunks);
  let is_dropped = (at == 0u && chunk > 0u) || (at == p.length - 1u && chunk < p.chunks - 1u);
  let token = batch * joined + chunk * inner + at;
  let origin = select(token, 0u, is_dropped);
  var value = select(x[origin * p.channels + c], vec4<f32>(0.0), is_dropped);
//#else
  let token = row;
  let t = row % joined;
  let batch = row / joined;
  // The end of the text is the end of the last chunk.
  let chunk = min(max(t, 1u) - 1u, joined - 3u) / inner;
  let origin = (batch * p.chunks + chunk) * p.length + t - chunk * inner;
  var value = x[origin * p.channels + c];
//#endif
//#if WEIGHTED
  //#if BACKWARD
  value *= weights[origin];
  //#else
  value *= weights[token];
  //#endif
//#endif
  y[i] = value;
}
