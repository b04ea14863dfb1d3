// c = w1 ⊗ w2: c[(a b)][t][(c d)] = w1[a][c] * w2[b][t][d], a thread per element. Strides say where b, t and d are in w2.
//! read w1: array<f32>
//! read w2: array<f32>
//! write y: array<f32>
//! params count: u32, bs: u32, cs: u32, ds: u32, taps: u32, bStride: u32, tStride: u32, dStride: u32

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (wg.y * grid.x + wg.x) * 64u + lane;
  if (i >= p.count) { return; }
  let width = p.cs * p.ds;
  let column = i % width;
  let tap = i / width % p.taps;
  let row = i / width / p.taps;
  let right = w2[row % p.bs * p.bStride + tap * p.tStride + column % p.ds * p.dStride];
  y[i] = w1[row / p.bs * p.cs + column / p.ds] * right;
}
