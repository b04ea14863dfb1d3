/**
 * Products of the small matrices that weights of adapters are made of: c = a * b or aT * b, of any sizes, and the
 * elementwise product of two such products (LoHa). Gradients are products again.
 */
import { invariant } from "../../errors.ts";
import { dim, elementCount, type Tensor } from "../graph/tensor.ts";
import { ceilDiv, spread, type Tier } from "../tier.ts";
import { single, type GradientContext } from "../graph/autodiff.ts";
import type { Graph } from "../graph/graph.ts";
import type { KernelCall } from "../graph/lower.ts";
import type { OpDef, RefMap, RefTensor } from "../graph/op.ts";
import source from "../kernels/factor-product.wgsl?raw";

export interface FactorProductAttrs {
  /** a is [reduction, rows] instead of [rows, reduction]. */
  readonly transposedA: boolean;
  /** b is [columns, reduction] instead of [reduction, columns]. */
  readonly transposedB: boolean;
  /** The result is added to an accumulated tensor `c` instead of being an output. */
  readonly adds: boolean;
}

interface Sizes {
  readonly rows: number;
  readonly cols: number;
  readonly red: number;
}

type Shaped = Pick<Tensor, "shape">;

/** Dimensions behind the first count as one. */
const width = ({ shape }: Shaped): number => elementCount(shape.slice(1));
const height = ({ shape }: Shaped): number => shape[0] ?? 1;

function sizesOf(a: Shaped, b: Shaped, { transposedA, transposedB }: Pick<FactorProductAttrs, "transposedA" | "transposedB">): Sizes {
  const [rows, red] = transposedA ? [width(a), height(a)] : [height(a), width(a)];
  const [cols, other] = transposedB ? [height(b), width(b)] : [width(b), height(b)];
  invariant(red === other, `factors [${a.shape.join()}] and [${b.shape.join()}] do not fit`);
  return { rows, cols, red };
}

interface ProductSpec extends FactorProductAttrs {
  readonly a: Tensor;
  readonly b: Tensor;
  /** Multiplies the product elementwise. */
  readonly times?: Tensor | undefined;
  readonly c: Tensor;
}

function productCall(tier: Tier, { a, b, times, c, ...attrs }: ProductSpec): KernelCall {
  const { rows, cols, red } = sizesOf(a, b, attrs);
  const colTiles = ceilDiv(cols, 4);
  const tiles = ceilDiv(rows, 4) * colTiles;
  // Few results of long sums: a thread each would leave a GPU idle.
  const isDeep = tier.matrixStyle === "tiled" && red >= 128 && tiles <= 16384;
  return {
    kernel: { name: "factor-product", source },
    defines: { DEEP: isDeep, TIMES: times !== undefined, ADD: attrs.adds },
    bindings: { a, b, c, ...(times && { t: times }) },
    params: {
      rows, cols, red, colTiles, tiles,
      ...(attrs.transposedA ? { aRow: 1, aRed: rows } : { aRow: red, aRed: 1 }),
      ...(attrs.transposedB ? { bCol: red, bRed: 1 } : { bCol: 1, bRed: cols }),
    },
    grid: spread(isDeep ? tiles : ceilDiv(tiles, 64)),
  };
}

function productReference(a: RefTensor, b: RefTensor, attrs: Pick<FactorProductAttrs, "transposedA" | "transposedB">): Float64Array {
  const { rows, cols, red } = sizesOf(a, b, attrs);
  return Float64Array.from({ length: rows * cols }, (_, at) => {
    const [row, col] = [Math.floor(at / cols), at % cols];
    let sum = 0;
    for (let k = 0; k < red; k++) {
      sum += a.data[attrs.transposedA ? k * rows + row : row * red + k]! * b.data[attrs.transposedB ? col * red + k : k * cols + col]!;
    }
    return sum;
  });
}

const plain = { transposedA: false, transposedB: false, adds: false };

export const factorProductOp: OpDef<FactorProductAttrs> = {
  kind: "factorProduct",
  outputs({ a, b }, attrs) {
    const { rows, cols } = sizesOf(a!, b!, attrs);
    return attrs.adds ? [] : [{ shape: [rows, cols], keep: "recompute" }];
  },
  gradient(ctx, { transposedA, transposedB }) {
    invariant(!transposedB, "the gradient of a product with bT is not needed");
    const dy = ctx.dy();
    if (dy !== undefined) sendToFactors(ctx, ["a", "b"], transposedA, dy);
  },
  lower(ctx, attrs) {
    const c = attrs.adds ? ctx.accumulated("c") : ctx.output();
    return [productCall(ctx.tier, { ...attrs, a: ctx.input("a"), b: ctx.input("b"), times: ctx.optional("times"), c })];
  },
  flops: ({ a, b }, attrs) => productFlops(sizesOf(a!, b!, attrs)),
  reference({ a, b, times, c }, attrs) {
    const product = productReference(a!, b!, attrs);
    return [product.map((value, i) => value * (times?.data[i] ?? 1) + (attrs.adds ? c!.data[i]! : 0))];
  },
};

const productFlops = ({ rows, cols, red }: Sizes): number => 2 * rows * cols * red;

/** Sends the gradient of a * b (or aT * b) to two inputs of an op, whether they are trained themselves or made of what is. */
function sendToFactors(ctx: GradientContext, [left, right]: readonly [string, string], transposed: boolean, dy: Tensor): void {
  const a = (): Tensor => ctx.saved(ctx.inputs[left]!);
  const b = (): Tensor => ctx.saved(ctx.inputs[right]!);
  if (ctx.needs(left)) {
    const [first, second] = transposed ? [b(), dy] : [dy, b()];
    send(ctx, left, first, second, { ...plain, transposedB: true });
  }
  if (ctx.needs(right)) send(ctx, right, a(), dy, { ...plain, transposedA: !transposed });
}

function send(ctx: GradientContext, input: string, a: Tensor, b: Tensor, attrs: FactorProductAttrs): void {
  const target = ctx.inputs[input];
  if (target?.role === "param") ctx.accumulateParam(factorProductOp, { a, b }, { c: ctx.gradOf(input) }, { ...attrs, adds: true });
  else if (target !== undefined) ctx.contribute(input, ctx.graph.view(single(ctx.graph.add(factorProductOp, { a, b }, attrs)), target.shape));
}

/** (a1 * b1) ∘ (a2 * b2), or with their transposes. */
const hadamardProductOp: OpDef<{ readonly transposed: boolean }> = {
  kind: "hadamardProduct",
  outputs({ a1, b1, a2, b2 }, { transposed: transposedA }) {
    const { rows, cols } = sizesOf(a1!, b1!, { ...plain, transposedA });
    const second = sizesOf(a2!, b2!, { ...plain, transposedA });
    invariant(rows === second.rows && cols === second.cols, "the products have the same shape");
    return [{ shape: [rows, cols], keep: "recompute" }];
  },
  gradient(ctx, { transposed }) {
    const dy = ctx.dy();
    if (dy === undefined) return;
    const { graph } = ctx;
    for (const [own, other] of [[1, 2], [2, 1]] as const) {
      const [a, b] = [ctx.inputs[`a${other}`]!, ctx.inputs[`b${other}`]!];
      const inputs = { a: ctx.saved(a), b: ctx.saved(b), times: dy };
      const through = single(graph.add(factorProductOp, inputs, { ...plain, transposedA: transposed }));
      sendToFactors(ctx, [`a${own}`, `b${own}`], transposed, through);
    }
  },
  lower(ctx, { transposed: transposedA }) {
    const c = ctx.output();
    const first = ctx.scratch(c.shape);
    const attrs = { ...plain, transposedA };
    return [
      productCall(ctx.tier, { ...attrs, a: ctx.input("a1"), b: ctx.input("b1"), c: first }),
      productCall(ctx.tier, { ...attrs, a: ctx.input("a2"), b: ctx.input("b2"), times: first, c }),
    ];
  },
  flops: ({ a1, b1 }, { transposed }) => 2 * productFlops(sizesOf(a1!, b1!, { ...plain, transposedA: transposed })),
  reference({ a1, b1, a2, b2 }: RefMap, { transposed: transposedA }) {
    const first = productReference(a1!, b1!, { ...plain, transposedA });
    return [productReference(a2!, b2!, { ...plain, transposedA }).map((value, i) => value * first[i]!)];
  },
};

/**
 * @param a [rows, r], with `transposed` [r, rows] @param b [r, columns]
 * @returns [rows, columns]; dimensions behind the first count as one
 */
export function factorProduct(graph: Graph, a: Tensor, b: Tensor, transposed = false): Tensor {
  return single(graph.add(factorProductOp, { a, b }, { ...plain, transposedA: transposed }));
}

/** The elementwise product of two products of factors, each as in factorProduct. */
export function hadamardProduct(
  graph: Graph, [a1, b1]: readonly [Tensor, Tensor], [a2, b2]: readonly [Tensor, Tensor], transposed = false,
): Tensor {
  invariant(dim(a1, 0) > 0, "factors have rows");
  return single(graph.add(hadamardProductOp, { a1, b1, a2, b2 }, { transposed }));
}
