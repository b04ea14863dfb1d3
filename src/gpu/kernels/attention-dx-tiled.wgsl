// Gradients of attention with staged tiles; the division of work is that of attention-tiled.wgsl. KEYS: a workgroup
// owns 32 keys, walks blocks of 32 queries and sums dk and dv; otherwise it owns queries, walks the keys and sums dq.
//! read dy: array<vec4<f32>>
//! read lse: array<f32>
//! read delta: array<f32>
//! write dx: array<vec4<f32>>
//! params chunk: u32, staged: u32

var<workgroup> ownTile: array<vec4<f32>, $(32 * STRIDE)>;
var<workgroup> otherTile: array<vec4<f32>, $(STAGE)>;
// [other row][group of own rows]; the components are the group's four rows.
var<workgroup> weights: array<vec4<f32>, 256>;

//#if KEYS
fn ownA(head: u32, row: u32, d: u32) -> vec4<f32> { return kv[keyBase(head, min(row, p.keys - 1u)) + d]; }
fn ownB(head: u32, row: u32, d: u32) -> vec4<f32> { return kv[valueBase(head, min(row, p.keys - 1u)) + d]; }
fn otherA(head: u32, row: u32, d: u32) -> vec4<f32> { return q[queryBase(head, min(row, p.queries - 1u)) + d]; }
fn otherB(head: u32, row: u32, d: u32) -> vec4<f32> { return dy[outputBase(head, min(row, p.queries - 1u)) + d]; }
//#else
fn ownA(head: u32, row: u32, d: u32) -> vec4<f32> { return q[queryBase(head, min(row, p.queries - 1u)) + d]; }
fn ownB(head: u32, row: u32, d: u32) -> vec4<f32> { return dy[outputBase(head, min(row, p.queries - 1u)) + d]; }
fn otherA(head: u32, row: u32, d: u32) -> vec4<f32> { return kv[keyBase(head, min(row, p.keys - 1u)) + d]; }
fn otherB(head: u32, row: u32, d: u32) -> vec4<f32> { return kv[valueBase(head, min(row, p.keys - 1u)) + d]; }
//#endif

@compute @workgroup_size($(8 * COLUMNS))
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let head = p.firstHead + wg.y;
  let firstOwn = wg.x * 32u;
  let group = lane % 8u;
  let column = lane / 8u;
//#for c CELLS
//#for i 4
  var da$(c)_$(i) = vec4<f32>();
//#if KEYS
  var db$(c)_$(i) = vec4<f32>();
//#endif
//#endfor
//#endfor
  var start = 0u;
//#if KEYS
  var end = p.queries;
//#else
  var end = p.keys;
//#for i 4
  let row$(i) = head * p.queries + min(firstOwn + group + $(8 * i)u, p.queries - 1u);
  let lse$(i) = lse[row$(i)] * log2e;
  let delta$(i) = delta[row$(i)];
//#endfor
//#endif
//#if CAUSAL
//#if KEYS
  start = firstOwn;
//#else
  end = min(end, firstOwn + 32u);
//#endif
//#endif
  for (var firstOther = start; firstOther < end; firstOther += 32u) {
//#for i 4
    var s$(i) = vec4<f32>();
    var dp$(i) = vec4<f32>();
//#endfor
    for (var chunk = 0u; chunk < p.d4; chunk += p.chunk) {
      workgroupBarrier();
      for (var e = lane; e < $(32 * CHUNK)u; e += $(8 * COLUMNS)u) {
        let row = e / $(CHUNK)u;
        let d = e % $(CHUNK)u;
        ownTile[row * $(STRIDE)u + d] = ownA(head, firstOwn + row, chunk + d) * (p.scale * log2e);
        otherTile[row * $(STRIDE)u + d] = otherA(head, firstOther + row, chunk + d);
      }
      workgroupBarrier();
      if (lane < 64u) {
        for (var first = 0u; first < p.chunk; first += $(UNROLL)u) {
//#for u UNROLL
          {
            let d = first + $(u)u;
//#for j 4
            let x$(j) = otherTile[(column + $(8 * j)u) * $(STRIDE)u + d];
//#endfor
//#for i 4
            let a$(i) = ownTile[(group + $(8 * i)u) * $(STRIDE)u + d];
            s$(i) += vec4<f32>(dot(a$(i), x0), dot(a$(i), x1), dot(a$(i), x2), dot(a$(i), x3));
//#endfor
          }
//#endfor
        }
      }
    }
    for (var chunk = 0u; chunk < p.d4; chunk += p.chunk) {
      workgroupBarrier();
      for (var e = lane; e < $(32 * CHUNK)u; e += $(8 * COLUMNS)u) {
        let row = e / $(CHUNK)u;
        let d = e % $(CHUNK)u;
        ownTile[row * $(STRIDE)u + d] = ownB(head, firstOwn + row, chunk + d);
        otherTile[row * $(STRIDE)u + d] = otherB(head, firstOther + row, chunk + d);
      }
      workgroupBarrier();
      if (lane < 64u) {
        for (var first = 0u; first < p.chunk; first += $(UNROLL)u) {
//#for u UNROLL
          {
            let d = first + $(u)u;
//#for j 4
            let x$(j) = otherTile[(column + $(8 * j)u) * $(STRIDE)u + d];
//#endfor
//#for i 4
            let b$(i) = ownTile[(group + $(8 * i)u) * $(STRIDE)u + d];
            dp$(i) += vec4<f32>(dot(b$(i), x0), dot(b$(i), x1), dot(b$(i), x2), dot(b$(i), x3));
//#endfor
          }
//#endfor
        }
      }
    }
    let other = firstOther + column + vec4<u32>(0u, 8u, 16u, 24u);
//#if KEYS
    let rows = head * p.queries + min(other, vec4<u32>(p.queries - 1u));
    let lses = vec4<f32>(lse[rows.x], lse[rows.y], lse[rows.z], lse[rows.w]) * log2e;
    let deltas = vec4<f32>(delta[rows.x], delta[rows.y], delta[rows.z], delta[rows.w]);
//#endif
//#for i 4
//#if KEYS
//#if CAUSAL
    let valid$(i) = (other >= vec4<u32>(firstOwn + group + $(8 * i)u)) & (other < vec4<u32>(p.queries));
//#else
    let valid$(i) = other < vec4<u32>(p.queries);
//#endif
    let p$(i) = exp2(select(vec4<f32>(masked), s$(i) - lses, valid$(i)));
    let ds$(i) = p$(i) * (dp$(i) - deltas);
//#else
//#if CAUSAL
    let valid$(i) = other <= vec4<u32>(min(firstOwn + group + $(8 * i)u, p.queries - 1u));
//#else
    let valid$(i) = other < vec4<u32>(p.keys);
//#endif
    let ds$(i) = exp2(select(vec4<f32>(masked), s$(i) - lse$(i), valid$(i))) * (dp$(i) - delta$(i));
//#endif
//#endfor
//#if KEYS
    if (lane < 64u) {
//#for j 4
      weights[(column + $(8 * j)u) * 8u + group] = vec4<f32>(p0[$(j)], p1[$(j)], p2[$(j)], p3[$(j)]);
//#endfor
    }
//#for c CELLS
    for (var part = 0u; part < 32u; part += p.staged) {
      workgroupBarrier();
      for (var e = lane; e < $(STAGED * COLUMNS)u; e += $(8 * COLUMNS)u) {
        let d = min(e % $(COLUMNS)u + $(c * COLUMNS)u, $(D4 - 1)u);
        otherTile[e] = otherB(head, firstOther + part + e / $(COLUMNS)u, d);
      }
      workgroupBarrier();
      for (var first = 0u; first < p.staged; first += 4u) {
//#for u 4
        {
          let k = first + $(u)u;
          let w = weights[(part + k) * 8u + group];
          let x = otherTile[k * $(COLUMNS)u + column];
//#for i 4
          db$(c)_$(i) += w[$(i)] * x;
//#endfor
        }
//#endfor
      }
    }
//#endfor
    workgroupBarrier();
//#endif
    if (lane < 64u) {
//#for j 4
      weights[(column + $(8 * j)u) * 8u + group] = vec4<f32>(ds0[$(j)], ds1[$(j)], ds2[$(j)], ds3[$(j)]);
//#endfor
    }
//#for c CELLS
    for (var part = 0u; part < 32u; part += p.staged) {
      workgroupBarrier();
      for (var e = lane; e < $(STAGED * COLUMNS)u; e += $(8 * COLUMNS)u) {
        let d = min(e % $(COLUMNS)u + $(c * COLUMNS)u, $(D4 - 1)u);
        otherTile[e] = otherA(head, firstOther + part + e / $(COLUMNS)u, d);
      }
      workgroupBarrier();
      for (var first = 0u; first < p.staged; first += 4u) {
//#for u 4
        {
          let k = first + $(u)u;
          let w = weights[(part + k) * 8u + group];
          let x = otherTile[k * $(COLUMNS)u + column];
//#for i 4
          da$(c)_$(i) += w[$(i)] * x;
//#endfor
        }
//#endfor
      }
    }
//#endfor
  }
//#for i 4
  let own$(i) = firstOwn + group + $(8 * i)u;
//#if KEYS
  if (own$(i) < p.keys) {
    let toK = keyBase(head, own$(i));
    let toV = valueBase(head, own$(i));
//#for c CELLS
    if (column + $(c * COLUMNS)u < $(D4)u) {
      dx[toK + column + $(c * COLUMNS)u] = da$(c)_$(i) * p.scale;
      dx[toV + column + $(c * COLUMNS)u] = db$(c)_$(i);
    }
//#endfor
  }
//#else
  if (own$(i) < p.queries) {
    let to = queryBase(head, own$(i));
//#for c CELLS
    if (column + $(c * COLUMNS)u < $(D4)u) { dx[to + column + $(c * COLUMNS)u] = da$(c)_$(i) * p.scale; }
//#endfor
  }
//#endif
//#endfor
}
