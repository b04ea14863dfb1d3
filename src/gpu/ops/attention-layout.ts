/** What the attention kernels share: column ranges, sizes, and how work is divided in each matrix style. */
import { invariant } from "../../errors.ts";
import { dim, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, type Tier } from "../tier.ts";
import type { RefTensor } from "../graph/op.ts";

/** Queries are columns of one tensor, keys and values of another or the same one. Offsets are in elements. */
export interface AttentionAttrs {
  readonly heads: number;
  readonly headDim: number;
  /** First column of the queries in `q`; head h follows at qOffset + h * headDim. */
  readonly qOffset: number;
  /** First columns of the keys and values in `kv`. */
  readonly kOffset: number;
  readonly vOffset: number;
  /** Position i sees positions 0..i only (text encoders). */
  readonly causal: boolean;
  /** Most work of one dispatch; long ones are cut by heads. Default 50 GFLOP, a tenth of a second on a small GPU. */
  readonly flopsPerDispatch?: number;
}

/** Scores are multiplied by 1/sqrt(head size). */
export function scoreScale({ headDim }: AttentionAttrs): number {
  return headDim ** -0.5;
}

export interface AttentionSizes {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  /** Run-time scalars of attention-layout.wgsl. */
  readonly params: Readonly<Record<string, number>>;
}

/** Checks the tensors q [B, S, *] and kv [B, T, *] against the attributes. */
export function attentionSizes(q: Tensor, kv: Tensor, attrs: AttentionAttrs): AttentionSizes {
  const { heads, headDim, qOffset, kOffset, vOffset, causal } = attrs;
  const width = heads * headDim;
  const [batch, queries, qStride] = [dim(q, 0), dim(q, 1), dim(q, 2)];
  const [keys, kvStride] = [dim(kv, 1), dim(kv, 2)];
  invariant(dim(kv, 0) === batch, `attention of batches ${batch} and ${dim(kv, 0)}`);
  invariant(!causal || queries === keys, "causal attention is self-attention");
  invariant(qOffset + width <= qStride && Math.max(kOffset, vOffset) + width <= kvStride, "attention columns are out of range");
  const inVec4 = [headDim, qStride, kvStride, qOffset, kOffset, vOffset].map((n) => {
    invariant(n % 4 === 0, `attention wants head size, widths and offsets in multiples of 4, got ${n}`);
    return n / 4;
  });
  const [d4 = 0, ...rest] = inVec4;
  const [qStride4 = 0, kvStride4 = 0, qOffset4 = 0, kOffset4 = 0, vOffset4 = 0] = rest;
  return {
    batch,
    queries,
    keys,
    params: {
      heads,
      queries,
      keys,
      d4,
      qStride: qStride4,
      kvStride: kvStride4,
      qOffset: qOffset4,
      kOffset: kOffset4,
      vOffset: vOffset4,
      scale: scoreScale(attrs),
    },
  };
}

/** Pairs of query and key that have a score, of one head. */
export function scoredPairs(queries: number, keys: number, causal: boolean): number {
  return causal ? (queries * (queries + 1)) / 2 : queries * keys;
}

/** Cuts batch * heads into runs whose work one dispatch may hold: a longer one freezes the desktop or gets killed. */
export function splitHeads(
  batchHeads: number,
  flopsPerHead: number,
  { flopsPerDispatch = 50e9 }: AttentionAttrs,
): { firstHead: number; count: number }[] {
  const most = Math.max(1, Math.floor(flopsPerDispatch / flopsPerHead));
  const even = ceilDiv(batchHeads, ceilDiv(batchHeads, most));
  return Array.from({ length: ceilDiv(batchHeads, even) }, (_, i) => {
    return { firstHead: i * even, count: Math.min(even, batchHeads - i * even) };
  });
}

export interface AttentionDivision {
  readonly defines: Readonly<Record<string, number | boolean>>;
  /** Run-time scalars that depend on the division. */
  readonly params: Readonly<Record<string, number>>;
  /** Rows (queries or keys) that a workgroup owns. */
  readonly rowsPerGroup: number;
}

/**
 * Direct: ROWS rows per invocation, fewer for large heads so that they stay in the first-level cache, and in the
 * backward, whose kernels are large: CPU drivers compile them in half the time and run them nearly as fast.
 * Tiled: 8 * COLUMNS invocations, each CELLS columns of vec4 of the output; the head is staged in chunks of CHUNK
 * vec4s with an odd row STRIDE against bank conflicts; outputs' operands STAGED rows at a time.
 */
export function divideAttention(
  tier: Tier,
  { headDim, causal }: AttentionAttrs,
  pass: "forward" | "backward",
): AttentionDivision {
  const d4 = headDim / 4;
  if (tier.matrixStyle === "direct") {
    const rows = headDim <= 80 && pass === "forward" ? 4 : headDim <= 160 ? 2 : 1;
    return { defines: { D4: d4, CAUSAL: causal, ROWS: rows }, params: {}, rowsPerGroup: 8 * rows };
  }
  const cells = ceilDiv(d4, 32);
  const columns = Math.max(8, ceilDiv(d4, cells));
  invariant(cells <= 4, `attention heads are at most 512 wide, got ${headDim}`);
  let chunk = Math.min(10, d4);
  while (d4 % chunk !== 0) chunk--;
  const stride = chunk + 1 - (chunk % 2);
  let staged = 32;
  while (staged * columns > 352) staged /= 2;
  return {
    defines: {
      D4: d4,
      CAUSAL: causal,
      CELLS: cells,
      COLUMNS: columns,
      CHUNK: chunk,
      ONE_CHUNK: chunk === d4,
      STRIDE: stride,
      STAGED: staged,
      STAGE: Math.max(32 * stride, staged * columns),
      UNROLL: chunk % 2 === 0 ? 2 : 1,
    },
    params: { chunk, staged },
    rowsPerGroup: 32,
  };
}

/** Float64 view of the operands: element d of head h of row r. */
export function refColumns(tensor: RefTensor, offset: number, headDim: number) {
  const [, rows = 0, stride = 0] = tensor.shape;
  return (b: number, r: number, h: number, d: number): number => (b * rows + r) * stride + offset + h * headDim + d;
}
