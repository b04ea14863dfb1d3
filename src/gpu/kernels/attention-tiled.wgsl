// Attention with staged tiles: a workgroup owns 32 queries of one head and walks blocks of 32 keys.
// Scores: 64 invocations, each 4 queries x 4 keys, over chunks of the head dimension. Output: all invocations, each
// 4 queries x CELLS vec4 columns. Rows of an invocation are 8 apart, so that neighbours hit different banks.
// 16 KiB of workgroup memory at head size 40. Inner loops are unrolled by hand and run to run-time bounds
// (p.chunk = CHUNK, p.staged = STAGED): CPU drivers would take minutes to unroll them all the way.
//! write o: array<vec4<f32>>
//! write lse: array<f32>
//! params chunk: u32, staged: u32

var<workgroup> queryTile: array<vec4<f32>, $(32 * STRIDE)>;
// Keys of a chunk, later values.
var<workgroup> keyTile: array<vec4<f32>, $(STAGE)>;
// [key][row group]; the components are the group's four rows.
var<workgroup> weights: array<vec4<f32>, 256>;
var<workgroup> lanes: array<vec4<f32>, 64>;

@compute @workgroup_size($(8 * COLUMNS))
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let head = p.firstHead + wg.y;
  let firstQuery = wg.x * 32u;
  let group = lane % 8u;
  let column = lane / 8u;
  var top = vec4<f32>(masked);
  var sum = vec4<f32>();
//#for c CELLS
//#for i 4
  var o$(c)_$(i) = vec4<f32>();
//#endfor
//#endfor
//#if CAUSAL
  let end = min(p.keys, firstQuery + 32u);
//#else
  let end = p.keys;
//#endif
  for (var firstKey = 0u; firstKey < end; firstKey += 32u) {
//#for i 4
    var s$(i) = vec4<f32>();
//#endfor
    for (var chunk = 0u; chunk < p.d4; chunk += p.chunk) {
      workgroupBarrier();
      for (var e = lane; e < $(32 * CHUNK)u; e += $(8 * COLUMNS)u) {
        let row = e / $(CHUNK)u;
        let d = e % $(CHUNK)u;
//#if ONE_CHUNK
        if (firstKey == 0u) {
          queryTile[row * $(STRIDE)u + d] = q[queryBase(head, min(firstQuery + row, p.queries - 1u)) + d] * (p.scale * log2e);
        }
//#else
        queryTile[row * $(STRIDE)u + d] = q[queryBase(head, min(firstQuery + row, p.queries - 1u)) + chunk + d] * (p.scale * log2e);
//#endif
        keyTile[row * $(STRIDE)u + d] = kv[keyBase(head, min(firstKey + row, p.keys - 1u)) + chunk + d];
      }
      workgroupBarrier();
      if (lane < 64u) {
        for (var first = 0u; first < p.chunk; first += $(UNROLL)u) {
//#for u UNROLL
          {
            let d = first + $(u)u;
//#for j 4
            let k$(j) = keyTile[(column + $(8 * j)u) * $(STRIDE)u + d];
//#endfor
//#for i 4
            let q$(i) = queryTile[(group + $(8 * i)u) * $(STRIDE)u + d];
            s$(i) += vec4<f32>(dot(q$(i), k0), dot(q$(i), k1), dot(q$(i), k2), dot(q$(i), k3));
//#endfor
          }
//#endfor
        }
      }
    }
    let key = firstKey + column + vec4<u32>(0u, 8u, 16u, 24u);
    if (lane < 64u) {
//#for i 4
//#if CAUSAL
      s$(i) = select(vec4<f32>(masked), s$(i), key <= vec4<u32>(min(firstQuery + group + $(8 * i)u, p.queries - 1u)));
//#else
      s$(i) = select(vec4<f32>(masked), s$(i), key < vec4<u32>(p.keys));
//#endif
      let max$(i) = max(max(s$(i).x, s$(i).y), max(s$(i).z, s$(i).w));
//#endfor
      lanes[lane] = vec4<f32>(max0, max1, max2, max3);
    }
    workgroupBarrier();
    var next = top;
    for (var other = 0u; other < 8u; other++) { next = max(next, lanes[other * 8u + group]); }
    let shrink = exp2(top - next);
    top = next;
    if (lane < 64u) {
//#for i 4
      let p$(i) = exp2(s$(i) - top[$(i)]);
//#endfor
      sum = sum * shrink;
//#for j 4
      let column$(j) = vec4<f32>(p0[$(j)], p1[$(j)], p2[$(j)], p3[$(j)]);
      weights[(column + $(8 * j)u) * 8u + group] = column$(j);
      sum += column$(j);
//#endfor
    }
//#for c CELLS
//#for i 4
    o$(c)_$(i) *= shrink[$(i)];
//#endfor
    for (var part = 0u; part < 32u; part += p.staged) {
      workgroupBarrier();
      for (var e = lane; e < $(STAGED * COLUMNS)u; e += $(8 * COLUMNS)u) {
        let d = e % $(COLUMNS)u + $(c * COLUMNS)u;
        keyTile[e] = kv[valueBase(head, min(firstKey + part + e / $(COLUMNS)u, p.keys - 1u)) + min(d, $(D4 - 1)u)];
      }
      workgroupBarrier();
      for (var first = 0u; first < p.staged; first += 4u) {
//#for u 4
        {
          let k = first + $(u)u;
          let w = weights[(part + k) * 8u + group];
          let v = keyTile[k * $(COLUMNS)u + column];
//#for i 4
          o$(c)_$(i) += w[$(i)] * v;
//#endfor
        }
//#endfor
      }
    }
//#endfor
  }
  workgroupBarrier();
  if (lane < 64u) { lanes[lane] = sum; }
  workgroupBarrier();
  var total = vec4<f32>();
  for (var other = 0u; other < 8u; other++) { total += lanes[other * 8u + group]; }
//#for i 4
  let row$(i) = firstQuery + group + $(8 * i)u;
  if (row$(i) < p.queries) {
    let to = outputBase(head, row$(i));
//#for c CELLS
    if (column + $(c * COLUMNS)u < $(D4)u) { o[to + column + $(c * COLUMNS)u] = o$(c)_$(i) / total[$(i)]; }
//#endfor
    if (column == 0u) { lse[head * p.queries + row$(i)] = (top[$(i)] + log2(total[$(i)])) / log2e; }
  }
//#endfor
}
