// DoRA: ratios = magnitude / norm of (base + scale * delta), per row, or with BY_CHANNEL per input channel (over rows
// and kernel positions). One workgroup makes the ratios of 8 rows or of 4 channels. Follows adapter-delta.wgsl.
//! read magnitudes: array<f32>
//! write ratios: array<f32>

// What keeps a zero norm from dividing: LyCORIS adds the machine epsilon of f32.
const epsilon = 1.1920929e-7;

//#if BY_CHANNEL
var<workgroup> sums: array<vec4<f32>, 64>;
//#else
var<workgroup> sums: array<vec4<f32>, 128>;
//#endif

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
  //#if BY_CHANNEL
  var sum = vec4(0.0);
  for (var rowBlock = thread; rowBlock * 8u < p.rows; rowBlock += 64u) {
    for (var quad = unit; quad < p.cols4; quad += p.channels4) {
      let block = deltaBlock(rowBlock, quad);
      //#for i 8
      sum += squares(rowBlock * 8u + $i, quad, block.r$i);
      //#endfor
    }
  }
  sums[thread] = sum;
  workgroupBarrier();
  if (thread > 0u || unit >= p.channels4) { return; }
  for (var other = 1u; other < 64u; other++) { sum += sums[other]; }
  for (var i = 0u; i < 4u; i++) {
    ratios[unit * 4u + i] = magnitudes[unit * 4u + i] / (sqrt(sum[i]) + epsilon);
  }
  //#else
  var low = vec4(0.0);
  var high = vec4(0.0);
  for (var quad = thread; quad < p.cols4; quad += 64u) {
    let block = deltaBlock(unit, quad);
    //#for i 4
    low[$i] += dot(squares(unit * 8u + $i, quad, block.r$i), vec4(1.0));
    high[$i] += dot(squares(unit * 8u + $(i + 4), quad, block.r$(i + 4)), vec4(1.0));
    //#endfor
  }
  sums[thread] = low;
  sums[thread + 64u] = high;
  workgroupBarrier();
  if (thread > 0u || unit * 8u >= p.rows) { return; }
  for (var other = 1u; other < 64u; other++) {
    low += sums[other];
    high += sums[other + 64u];
  }
  for (var i = 0u; i < 4u; i++) {
    ratios[unit * 8u + i] = magnitudes[unit * 8u + i] / (sqrt(low[i]) + epsilon);
    ratios[unit * 8u + 4u + i] = magnitudes[unit * 8u + 4u + i] / (sqrt(high[i]) + epsilon);
  }
  //#endif
}
