/** What the bench compares: one op, written for our graph and for each peer, over the same numbers. */
import type * as tfjs from "@tensorflow/tfjs-core";
import type * as jax from "@jax-js/jax";
import type { Graph } from "../src/gpu/graph/graph.ts";
import type { Tensor } from "../src/gpu/graph/tensor.ts";

/**
 * How a value is stored. Each library gets its own favourite: ours is what is listed here, a peer's copy is rearranged
 * before the clock starts.
 * - rows: as is
 * - columns: [N, K] here, [K, N] for the peers
 * - nhwc: tfjs the same, jax-js NCHW
 * - ohwi: tfjs HWIO, jax-js OIHW
 * - heads: [1, S, H * D] here, [H, S, D] for the peers (with `heads` = H)
 */
export type Layout = "rows" | "columns" | "nhwc" | "ohwi" | "heads";

export interface BenchInput {
  readonly shape: readonly number[];
  readonly layout?: Layout;
  /** weight: ours is frozen and stored as f16 (the values are f16 numbers for everybody). */
  readonly role?: "input" | "weight" | "param" | "state";
  readonly scale?: number;
  /** Number of heads, for that layout. */
  readonly heads?: number;
  /** Exact values instead of random ones. */
  readonly values?: readonly number[];
  /** Two other inputs side by side in the last dimension. */
  readonly concat?: readonly [string, string];
}

export type Named<T> = Readonly<Record<string, T>>;

export interface BenchCase {
  readonly name: string;
  readonly inputs: Named<BenchInput>;
  /** Layouts of the results, in the order in which all three return them. */
  readonly results: readonly Layout[];
  /** Cuts our results into the pieces that the peers return. */
  readonly split?: (results: readonly Float32Array[]) => Float32Array[];
  readonly work: { readonly flops: number } | { readonly bytes: number };
  /** Largest difference allowed, relative to the largest result (default 2e-5). */
  readonly tolerance?: number;
  ours(graph: Graph, inputs: Named<Tensor>): readonly Tensor[];
  tfjs(tf: typeof tfjs, inputs: Named<tfjs.Tensor>): readonly tfjs.Tensor[];
  /** Runs under jit; values are used up by the functions they are given to, `.ref` makes another use. */
  jax(jx: typeof jax, inputs: Named<jax.Array>): jax.Array[];
}

/** One library with one case loaded, ready to be timed. */
export interface Runner {
  readonly name: string;
  /** Starts the op without waiting. */
  run(): void;
  /** Waits for everything started. */
  finish(): Promise<void>;
  /** Results of one fresh run, in our layout. */
  results(): Promise<Float32Array[]>;
  /** Dispatches of one run; unknown for some libraries. */
  readonly dispatches: number | undefined;
  dispose(): void;
}

/** Shape and axis order in which a peer gets a value, if not ours. `perms` is the peer's own order for some layouts. */
export function arrange(
  { shape, layout = "rows", heads = 1 }: BenchInput,
  perms: Readonly<Partial<Record<Layout, readonly number[]>>>,
): { from: readonly number[]; perm: readonly number[] } | undefined {
  if (layout === "heads") {
    const [, length = 1, width = 1] = shape;
    return { from: [length, heads, width / heads], perm: [1, 0, 2] };
  }
  const perm = perms[layout];
  return perm === undefined ? undefined : { from: shape, perm };
}

/** A peer's [H, S, D] as our [S, H * D]. */
export function joinHeads(data: ArrayLike<number>, heads: number, headDim: number): Float32Array {
  return transpose(data, [heads, data.length / heads / headDim, headDim], [1, 0, 2]);
}

/** perm[i] is the source axis of axis i of the result. */
export function transpose(data: ArrayLike<number>, shape: readonly number[], perm: readonly number[]): Float32Array<ArrayBuffer> {
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const outShape = perm.map((axis) => shape[axis] ?? 1);
  const outStrides = perm.map((axis) => strides[axis] ?? 0);
  const out = new Float32Array(data.length);
  const index = outShape.map(() => 0);
  let from = 0;
  for (let at = 0; at < out.length; at++) {
    out[at] = data[from] ?? 0;
    for (let axis = outShape.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] ?? 0) + 1;
      from += outStrides[axis] ?? 0;
      if ((index[axis] ?? 0) < (outShape[axis] ?? 0)) break;
      from -= (outStrides[axis] ?? 0) * (outShape[axis] ?? 0);
      index[axis] = 0;
    }
  }
  return out;
}

export function permuted(shape: readonly number[], perm: readonly number[]): number[] {
  return perm.map((axis) => shape[axis] ?? 1);
}
