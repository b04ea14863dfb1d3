/**
 * What the graph builders of UNet, text encoder and VAE share: declaring weights by checkpoint key, and
 * linear layers that may carry an adapter. Parameter names are the checkpoint's keys.
 */
import { InputError, invariant } from "../errors.ts";
import { groupNorm } from "../gpu/ops/group-norm.ts";
import { layerNorm } from "../gpu/ops/layer-norm.ts";
import { conv2d, type Padding } from "../gpu/ops/conv2d.ts";
import { linear, type LinearInputs } from "../gpu/ops/linear.ts";
import type { Graph, MatrixType, WeightSource } from "../gpu/graph/graph.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";

/** Rows of a stored weight: all of it, or a range (OpenCLIP keeps q, k and v in one matrix). */
export interface WeightPart {
  readonly key: string;
  readonly rowStart?: number;
  readonly rows?: number;
}

/** Trainable low-rank factors of a (possibly stacked) linear. */
export type LinearAdapter = NonNullable<LinearInputs["adapter"]>;

/** Decides which linears and convolutions are trained. Implemented by lora/; models only ask. */
export interface AdapterProvider {
  /**
   * The adapter of a layer whose weight is the given parts stacked along the output axis; undefined if it is not
   * a target. All parts of one layer are targets or none. A convolution's down is [r, kh, kw, in].
   */
  adapterFor(graph: Graph, parts: readonly WeightPart[], inWidth: number, outWidth: number): LinearAdapter | undefined;
  /** The weight that such a layer uses: the frozen one [out, in] or [out, kh, kw, in], or one that is made of it and factors. */
  weightFor(graph: Graph, w: Tensor, parts: readonly WeightPart[]): Tensor;
  /** Whether the layer with this weight is a target. */
  adapts(key: string): boolean;
  /** The weights of a model that is trained itself, f32; undefined for those that stay frozen. Absent: all do. */
  trainedWeights?(graph: Graph, name: string, shape: readonly number[], source: WeightSource): Tensor | undefined;
  /** Bytes that a trained table may have in one tensor. */
  readonly maxTableBytes?: number;
}

export const noAdapters: AdapterProvider = { adapterFor: () => undefined, weightFor: (_, w) => w, adapts: () => false };

/** Shapes of checkpoint tensors by normalized key. */
export interface WeightShapes {
  shape(key: string): readonly number[];
  has(key: string): boolean;
}

export interface LinearOptions {
  readonly addend?: Tensor;
}

export interface ConvOptions {
  readonly stride?: 1 | 2;
  readonly pad?: Padding;
  readonly addend?: Tensor;
  /** Per-batch, per-channel offsets [B, total]; columns from rowBiasOffset on are added. */
  readonly rowBias?: Tensor;
  readonly rowBiasOffset?: number;
}

export class ModelBuilder {
  readonly graph: Graph;
  readonly #shapes: WeightShapes;
  readonly #adapters: AdapterProvider;

  constructor(graph: Graph, shapes: WeightShapes, adapters: AdapterProvider = noAdapters) {
    this.graph = graph;
    this.#shapes = shapes;
    this.#adapters = adapters;
  }

  /** Whether the module at `prefix` has an adapter. */
  adapts(prefix: string): boolean {
    return this.#adapters.adapts(`${prefix}.weight`);
  }

  has(key: string): boolean {
    return this.#shapes.has(key);
  }

  shape(key: string): readonly number[] {
    return this.#shapes.shape(key);
  }

  /** A norm's weight or a bias, f32 [n]; several keys are stacked. */
  vector(...keys: string[]): Tensor {
    const length = keys.reduce((total, key) => total + (this.shape(key)[0] ?? 0), 0);
    return this.#weight(keys.join("+"), [length], "f32", { parts: keys.map((key) => ({ key })), layout: "rows" });
  }

  /** A linear's or 1×1 convolution's weight [out, in]; several parts are stacked along out. */
  matrix(parts: readonly WeightPart[]): Tensor {
    let rows = 0;
    let columns = 0;
    for (const part of parts) {
      const [out = 0, ...rest] = this.shape(part.key);
      rows += part.rows ?? out;
      columns = rest.reduce((product, n) => product * n, 1);
    }
    if (columns % 4 !== 0 || rows % 4 !== 0) {
      throw new InputError("model.width", `${parts[0]?.key ?? ""} is [${rows}, ${columns}]; widths must be multiples of 4`, {
        key: parts[0]?.key ?? "",
      });
    }
    const name = parts.map((p) => (p.rowStart === undefined ? p.key : `${p.key}[${p.rowStart}]`)).join("+");
    return this.#weight(name, [rows, columns], this.graph.matrices, { parts, layout: "rows" });
  }

  /** A weight that is frozen, in this format, or trained, in f32. */
  #weight(name: string, shape: readonly number[], dtype: MatrixType | "f32", source: WeightSource): Tensor {
    return this.#adapters.trainedWeights?.(this.graph, name, shape, source) ?? this.graph.weight(name, shape, dtype, source);
  }

  /**
   * A table of f16 rows (position embeddings); its height need not be a multiple of 4.
   * @param extraRows rows behind the stored ones, zero
   */
  matrixRows(key: string, extraRows = 0): Tensor {
    const [rows = 0, ...rest] = this.shape(key);
    const isZeroPadded = extraRows > 0;
    return this.#weight(key, [rows + extraRows, ...rest], "f16", { parts: [{ key }], layout: "rows", isZeroPadded });
  }

  /** The same of a table that may be trained: in two parts where one would be too large. @param extraRows of a frozen one */
  tableRows(key: string, extraRows = 0): readonly [table: Tensor, rest?: Tensor] {
    const [rows = 0, width = 1] = this.shape(key);
    const { maxTableBytes = Infinity } = this.#adapters;
    if (rows * width * 4 <= maxTableBytes) return [this.matrixRows(key, extraRows)];
    // Blocks of 8-bit optimizers end with both parts.
    const first = Math.ceil(rows / 8) * 4;
    const parts = [{ key, rowStart: 0, rows: first }, { key, rowStart: first, rows: rows - first }];
    const [table, rest] = parts.map((part) => this.#adapters.trainedWeights?.(this.graph, `${key}[${part.rowStart}]`, [part.rows, width], { parts: [part], layout: "rows" }));
    return table === undefined || rest === undefined ? [this.matrixRows(key, extraRows)] : [table, rest];
  }

  /** y = x·Wᵀ + bias for the module at `prefix` (keys `prefix.weight`, `prefix.bias` if present). */
  linear(x: Tensor, prefix: string, options: LinearOptions = {}): Tensor {
    return this.stacked(x, [{ key: `${prefix}.weight` }], this.has(`${prefix}.bias`) ? this.vector(`${prefix}.bias`) : undefined, options);
  }

  /** Several linears of the same input as one, outputs side by side in the last dimension. */
  stacked(x: Tensor, parts: readonly WeightPart[], bias?: Tensor, options: LinearOptions = {}): Tensor {
    const w = this.#adapters.weightFor(this.graph, this.matrix(parts), parts);
    const [out = 0, width = 0] = w.shape;
    const adapter = this.#adapters.adapterFor(this.graph, parts, width, out);
    return linear(this.graph, {
      x,
      w,
      ...(bias && { bias }),
      ...(options.addend && { addend: options.addend }),
      ...(adapter && { adapter }),
    });
  }

  /** 3×3 convolution on NHWC maps; channels in and out are padded to multiples of 4 with zeros. */
  conv3x3(x: Tensor, prefix: string, options: ConvOptions = {}): Tensor {
    const key = `${prefix}.weight`;
    const [out = 0, channels = 0, kh = 0, kw = 0] = this.shape(key);
    invariant(kh === 3 && kw === 3, `${key} is not a 3x3 convolution`);
    const padded = Math.ceil(channels / 4) * 4;
    const outputs = Math.ceil(out / 4) * 4;
    const isZeroPadded = outputs !== out;
    const w = this.#weight(key, [outputs, kh, kw, padded], this.graph.matrices, { parts: [{ key }], layout: "oihw", isZeroPadded });
    const biasKey = `${prefix}.bias`;
    const bias = this.#weight(biasKey, [outputs], "f32", { parts: [{ key: biasKey }], layout: "rows", isZeroPadded });
    return conv2d(this.graph, {
      x,
      w: this.#adapters.weightFor(this.graph, w, [{ key }]),
      bias,
      adapter: this.#adapters.adapterFor(this.graph, [{ key }], padded, outputs),
      stride: options.stride ?? 1,
      pad: options.pad ?? { top: 1, left: 1, bottom: 1, right: 1 },
      ...(options.addend && { addend: options.addend }),
      ...(options.rowBias && { rowBias: options.rowBias, rowBiasOffset: options.rowBiasOffset ?? 0 }),
    });
  }

  groupNorm(x: Tensor, prefix: string, eps: number, silu: boolean): Tensor {
    const gamma = this.vector(`${prefix}.weight`);
    return groupNorm(this.graph, { x, gamma, beta: this.vector(`${prefix}.bias`), groups: 32, eps, silu });
  }

  layerNorm(x: Tensor, prefix: string): Tensor {
    return layerNorm(this.graph, { x, gamma: this.vector(`${prefix}.weight`), beta: this.vector(`${prefix}.bias`), eps: 1e-5 });
  }
}
