// DoRA: ratios = magnitude / norm of (base + scale * delta), per row, or with BY_CHANNEL per input channel (over rows
// and kernel positions). One workgroup makes the ratios of 4 rows or of 4 channels. Follows adapter-delta.wgsl.
//! read magnitudes: array<vec4<f32>>
//! write ratios: array<vec4<f32>>

// What keeps a zero norm from dividing: LyCORIS adds the machine epsilon of f32.
const epsilon = 1.1920929e-7;

var<workgroup> sums: array<vec4<f32>, 64>;

fn squares(row: u32, quad: u32, delta: vec4<f32>) -> vec4<f32> {
  if (row >= p.rows) { return vec4(0.0); }
  let adapted = fma(vec4(p.scale), delta, baseQuad(row, quad));
  return adapted * adapted;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) wg: vec3<u32>,
  @builtin(num_workgroups) grid: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let unit = wg.y * grid.x + wg.x;
  var sum = vec4(0.0);
  //#if BY_CHANNEL
  for (var rowBlock = thread; rowBlock * 4u < p.rows; rowBlock += 64u) {
    for (var quad = unit; quad < p.cols4; quad += p.channels4) {
      let block = deltaBlock(rowBlock, quad);
      //#for i 4
      sum += squares(rowBlock * 4u + $i, quad, block.r$i);
      //#endfor
    }
  }
  //#else
  for (var quad = thread; quad < p.cols4; quad += 64u) {
    let block = deltaBlock(unit, quad);
    //#for i 4
    sum[$i] += dot(squares(unit * 4u + $i, quad, block.r$i), vec4(1.0));
    //#endfor
  }
  //#endif
  sums[thread] = sum;
  workgroupBarrier();
  //#if BY_CHANNEL
  let units = p.channels4;
  //#else
  let units = (p.rows + 3u) / 4u;
  //#endif
  if (thread > 0u || unit >= units) { return; }
  for (var other = 1u; other < 64u; other++) { sum += sums[other]; }
  ratios[unit] = magnitudes[unit] / (sqrt(sum) + epsilon);
}
