// Attention without workgroup memory: an invocation owns ROWS queries and walks the keys four at a time with an
// online softmax. Loops over the head size have a run-time bound on purpose: CPU drivers unroll constant ones, which
// takes them tens of seconds to compile and gains nothing.
//! write o: array<vec4<f32>>
//! write lse: array<f32>

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let head = p.firstHead + wg.y;
  let last = p.queries - 1u;
//#for i ROWS
  let row$(i) = (wg.x * 8u + lane) * $(ROWS)u + $(i)u;
  var q$(i): array<vec4<f32>, $(D4)>;
  var o$(i): array<vec4<f32>, $(D4)>;
  let from$(i) = queryBase(head, min(row$(i), last));
  for (var d = 0u; d < p.d4; d++) {
    q$(i)[d] = q[from$(i) + d] * (p.scale * log2e);
    o$(i)[d] = vec4<f32>();
  }
  var max$(i) = masked;
  var sum$(i) = 0.0;
//#endfor
//#if CAUSAL
  let end = min(p.keys, (wg.x + 1u) * $(8 * ROWS)u);
//#else
  let end = p.keys;
//#endif
  for (var first = 0u; first < end; first += 4u) {
    let key = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u);
    let row = min(key, vec4<u32>(p.keys - 1u));
    let k0 = keyBase(head, row.x);
    let k1 = keyBase(head, row.y);
    let k2 = keyBase(head, row.z);
    let k3 = keyBase(head, row.w);
//#for i ROWS
    var s$(i) = vec4<f32>();
//#endfor
    for (var d = 0u; d < p.d4; d++) {
      let a = kv[k0 + d];
      let b = kv[k1 + d];
      let c = kv[k2 + d];
      let e = kv[k3 + d];
//#for i ROWS
      let x$(i) = q$(i)[d];
      s$(i) += vec4<f32>(dot(x$(i), a), dot(x$(i), b), dot(x$(i), c), dot(x$(i), e));
//#endfor
    }
//#for i ROWS
//#if CAUSAL
    s$(i) = select(vec4<f32>(masked), s$(i), key <= vec4<u32>(min(row$(i), last)));
//#else
    s$(i) = select(vec4<f32>(masked), s$(i), key < vec4<u32>(p.keys));
//#endif
    let new$(i) = max(max(max$(i), max(s$(i).x, s$(i).y)), max(s$(i).z, s$(i).w));
    let shrink$(i) = exp2(max$(i) - new$(i));
    let p$(i) = exp2(s$(i) - new$(i));
    max$(i) = new$(i);
    sum$(i) = sum$(i) * shrink$(i) + dot(p$(i), vec4<f32>(1.0));
//#endfor
    let v0 = valueBase(head, row.x);
    let v1 = valueBase(head, row.y);
    let v2 = valueBase(head, row.z);
    let v3 = valueBase(head, row.w);
    for (var d = 0u; d < p.d4; d++) {
      let a = kv[v0 + d];
      let b = kv[v1 + d];
      let c = kv[v2 + d];
      let e = kv[v3 + d];
//#for i ROWS
      o$(i)[d] = o$(i)[d] * shrink$(i) + p$(i).x * a + p$(i).y * b + p$(i).z * c + p$(i).w * e;
//#endfor
    }
  }
//#for i ROWS
  if (row$(i) <= last) {
    let to = outputBase(head, row$(i));
    let scale = 1.0 / sum$(i);
    for (var d = 0u; d < p.d4; d++) { o[to + d] = o$(i)[d] * scale; }
    lse[head * p.queries + row$(i)] = (max$(i) + log2(sum$(i))) / log2e;
  }
//#endfor
}
