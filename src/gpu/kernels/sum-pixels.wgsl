// y[b][c] = sum over the pixels of x[b][pixel][c]. A workgroup makes LANES vec4s of channels of one batch entry; its
// SLICES slices take turns on the pixels and are summed in a fixed order. With ADD y is added to.
//! read x: array<vec4<f32>>
//! write y: array<vec4<f32>>
//! params batch: u32, pixels: u32, cols4: u32, tiles: u32

//#if SLICED
var<workgroup> sums: array<vec4<f32>, $(LANES * SLICES)>;
//#endif

@compute @workgroup_size($(LANES * SLICES))
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let job = wg.y * grid.x + wg.x;
  let b = job / p.tiles;
  if (b >= p.batch) { return; }
  let lane = thread % $LANES;
  let slice = thread / $LANES;
  let col4 = job % p.tiles * $LANES + lane;
  let at = b * p.pixels * p.cols4 + min(col4, p.cols4 - 1);
  var sum = vec4<f32>(0.0);
  for (var m = slice; m < p.pixels; m += $(SLICES)u) { sum += x[at + m * p.cols4]; }
  //#if SLICED
  sums[thread] = sum;
  workgroupBarrier();
  if (slice == 0) {
    for (var other = 1u; other < $SLICES; other++) { sum += sums[lane + other * $LANES]; }
  }
  //#endif
  if (slice > 0) { return; }
  //#if ADD
  if (col4 < p.cols4) { y[b * p.cols4 + col4] += sum; }
  //#else
  if (col4 < p.cols4) { y[b * p.cols4 + col4] = sum; }
  //#endif
}
