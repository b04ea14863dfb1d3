// Gradients of attention without workgroup memory. KEYS: an invocation owns ROWS keys, walks the queries four at a
// time and sums dk and dv; otherwise it owns queries, walks the keys and sums dq. Scores are computed again from the
// saved log-sum-exp. Run-time loop bounds for the reason given in attention-direct.wgsl.
//! read dy: array<vec4<f32>>
//! read lse: array<f32>
//! read delta: array<f32>
//! write dx: array<vec4<f32>>

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let head = p.firstHead + wg.y;
//#if KEYS
  let last = p.keys - 1u;
  let others = p.queries;
//#else
  let last = p.queries - 1u;
  let others = p.keys;
//#endif
//#for i ROWS
  let row$(i) = (wg.x * 8u + lane) * $(ROWS)u + $(i)u;
  let own$(i) = min(row$(i), last);
  var a$(i): array<vec4<f32>, $(D4)>;
  var b$(i): array<vec4<f32>, $(D4)>;
  var da$(i): array<vec4<f32>, $(D4)>;
//#if KEYS
  var db$(i): array<vec4<f32>, $(D4)>;
  let fromA$(i) = keyBase(head, own$(i));
  let fromB$(i) = valueBase(head, own$(i));
//#else
  let fromA$(i) = queryBase(head, own$(i));
  let fromB$(i) = outputBase(head, own$(i));
  let lse$(i) = lse[head * p.queries + own$(i)] * log2e;
  let delta$(i) = delta[head * p.queries + own$(i)];
//#endif
  for (var d = 0u; d < p.d4; d++) {
    da$(i)[d] = vec4<f32>();
//#if KEYS
    db$(i)[d] = vec4<f32>();
    a$(i)[d] = kv[fromA$(i) + d] * (p.scale * log2e);
    b$(i)[d] = kv[fromB$(i) + d];
//#else
    a$(i)[d] = q[fromA$(i) + d] * (p.scale * log2e);
    b$(i)[d] = dy[fromB$(i) + d];
//#endif
  }
//#endfor
  var start = 0u;
  var end = others;
//#if CAUSAL
//#if KEYS
  start = wg.x * $(8 * ROWS)u;
//#else
  end = min(others, (wg.x + 1u) * $(8 * ROWS)u);
//#endif
//#endif
  for (var first = start; first < end; first += 4u) {
    let other = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
    let at = min(other, vec4<u32>(others - 1u));
//#for j 4
//#if KEYS
    let x$(j) = queryBase(head, at[$(j)]);
    let y$(j) = outputBase(head, at[$(j)]);
//#else
    let x$(j) = keyBase(head, at[$(j)]);
    let y$(j) = valueBase(head, at[$(j)]);
//#endif
//#endfor
//#if KEYS
    let rows = head * p.queries + at;
    let lses = vec4<f32>(lse[rows.x], lse[rows.y], lse[rows.z], lse[rows.w]) * log2e;
    let deltas = vec4<f32>(delta[rows.x], delta[rows.y], delta[rows.z], delta[rows.w]);
//#endif
//#for i ROWS
    var s$(i) = vec4<f32>();
    var dp$(i) = vec4<f32>();
//#endfor
    for (var d = 0u; d < p.d4; d++) {
//#for j 4
//#if KEYS
      let m$(j) = q[x$(j) + d];
      let n$(j) = dy[y$(j) + d];
//#else
      let m$(j) = kv[x$(j) + d];
      let n$(j) = kv[y$(j) + d];
//#endif
//#endfor
//#for i ROWS
      let f$(i) = a$(i)[d];
      let g$(i) = b$(i)[d];
      s$(i) += vec4<f32>(dot(f$(i), m0), dot(f$(i), m1), dot(f$(i), m2), dot(f$(i), m3));
      dp$(i) += vec4<f32>(dot(g$(i), n0), dot(g$(i), n1), dot(g$(i), n2), dot(g$(i), n3));
//#endfor
    }
//#for i ROWS
//#if CAUSAL
//#if KEYS
    let valid$(i) = (other >= vec4<u32>(own$(i))) & (other < vec4<u32>(others));
//#else
    let valid$(i) = other <= vec4<u32>(own$(i));
//#endif
//#else
    let valid$(i) = other < vec4<u32>(others);
//#endif
//#if KEYS
    let p$(i) = exp2(select(vec4<f32>(masked), s$(i) - lses, valid$(i)));
    let ds$(i) = p$(i) * (dp$(i) - deltas);
//#else
    let ds$(i) = exp2(select(vec4<f32>(masked), s$(i) - lse$(i), valid$(i))) * (dp$(i) - delta$(i));
//#endif
//#endfor
    for (var d = 0u; d < p.d4; d++) {
//#for j 4
//#if KEYS
      let m$(j) = q[x$(j) + d];
      let n$(j) = dy[y$(j) + d];
//#else
      let m$(j) = kv[x$(j) + d];
//#endif
//#endfor
//#for i ROWS
      da$(i)[d] += ds$(i).x * m0 + ds$(i).y * m1 + ds$(i).z * m2 + ds$(i).w * m3;
//#if KEYS
      db$(i)[d] += p$(i).x * n0 + p$(i).y * n1 + p$(i).z * n2 + p$(i).w * n3;
//#endif
//#endfor
    }
  }
//#for i ROWS
  if (row$(i) <= last) {
//#if KEYS
    let toK = keyBase(head, row$(i));
    let toV = valueBase(head, row$(i));
    for (var d = 0u; d < p.d4; d++) {
      dx[toK + d] = da$(i)[d] * p.scale;
      dx[toV + d] = db$(i)[d];
    }
//#else
    let to = queryBase(head, row$(i));
    for (var d = 0u; d < p.d4; d++) { dx[to + d] = da$(i)[d] * p.scale; }
//#endif
  }
//#endfor
}
