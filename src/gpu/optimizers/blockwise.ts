/**
 * bitsandbytes' 8-bit optimizers: state of tensors with many elements is kept as 8-bit codes, a block of neighbours
 * sharing one scale; smaller tensors keep f32 state. Orders of operations are those of its CUDA kernels.
 */
import { bindOp, type OpDef, type RefMap } from "../graph/op.ts";
import { spread } from "../tier.ts";
import { codebook } from "./codebook.ts";
import { scalarsPerGroup, type Optimizer, type UpdateContext } from "./optimizer.ts";
import { placeOf, tensorTable, type PlacedTensor, type TableRow } from "./trained-tensor.ts";
import type { Tensor } from "../graph/tensor.ts";
import source from "./blockwise.wgsl?raw";
import walk from "./walk.wgsl?raw";

interface BlockSettings {
  readonly weightDecay: number;
  /** Tensors with fewer elements have f32 state (`min_8bit_size`). */
  readonly minSize: number;
  /** Elements that share a scale, a multiple of 256; bitsandbytes had 2048 before its version 0.44. */
  readonly blockSize?: number;
}

export interface AdamW8bitSettings extends BlockSettings {
  readonly betas: readonly [number, number];
  readonly eps: number;
}

export interface Lion8bitSettings extends BlockSettings {
  readonly betas: readonly [number, number];
}

export interface Sgd8bitSettings extends BlockSettings {
  readonly momentum: number;
}

/** The weight decay comes after the step, as in bitsandbytes. */
export function adamW8bit(settings: AdamW8bitSettings): Optimizer {
  const { betas: [b1, b2], eps, weightDecay } = settings;
  return blockwise("AdamW8bit", settings, "adam", ({ lr, step }) => {
    const root = Math.sqrt(1 - b2 ** step);
    return [b1, 1 - b1, b2, 1 - b2, (lr * root) / (1 - b1 ** step), eps * root, 1 - lr * weightDecay];
  });
}

export function lion8bit(settings: Lion8bitSettings): Optimizer {
  const { betas: [b1, b2], weightDecay } = settings;
  return blockwise("Lion8bit", settings, "lion", ({ lr }) => [b1, 1 - b1, b2, 1 - b2, lr, 0, 1 - lr * weightDecay]);
}

/** The heavy ball: bitsandbytes takes `nesterov` and does not use it. The first momentum is the first gradient. */
export function sgd8bit(settings: Sgd8bitSettings): Optimizer {
  const { momentum, weightDecay } = settings;
  return blockwise("SGDNesterov8bit", settings, "sgd", ({ lr, step }) => [step === 1 ? 0 : momentum, 0, 0, 0, lr, weightDecay, 1]);
}

type Rule = "adam" | "lion" | "sgd";

function blockwise(name: string, { minSize, blockSize = 256 }: BlockSettings, rule: Rule, scalars: Optimizer["scalars"]): Optimizer {
  const states = rule === "adam" ? 2 : 1;
  return {
    name,
    stateCount: 0,
    scalars,
    build(update) {
      for (const { key, group, param, grad, tensors } of update.buffers) {
        const add = (chosen: readonly PlacedTensor[], isQuantized: boolean): void => {
          if (chosen.length === 0) return;
          let elements = 0;
          const rows = chosen.map((tensor): TableRow => {
            const row = { tensor, state: elements };
            elements += tensor.count * states;
            return row;
          });
          const { table, blocks } = tensorTable(rows, blockSize);
          const kind = isQuantized ? "8bit" : "32bit";
          const state = isQuantized ? quantizedState(update, key, blocks, blockSize, states) : { state: update.keep(`small/${key}`, elements) };
          const inputs = { scalars: update.scalars, report: update.report, table: update.constant(`${kind}/${key}`, table) };
          const op = bindOp(blockwiseOp, { group, rows, blocks, blockSize, rule, isQuantized });
          const book = isQuantized ? update.constant("codebook", Float32Array.from([...codebook(true), ...codebook(false)])) : undefined;
          update.graph.addBound(op, { ...inputs, book }, { accumulates: { param, grad, ...state } });
        };
        add(tensors.filter(({ count }) => count >= minSize), true);
        add(tensors.filter(({ count }) => count < minSize), false);
      }
    },
  };
}

function quantizedState({ keep }: UpdateContext, key: string, blocks: number, blockSize: number, states: number): Record<string, Tensor> {
  return { scales: keep(`scales/${key}`, blocks * states), codes: keep(`codes/${key}`, (blocks * states * blockSize) / 4, "u32") };
}

interface BlockAttrs {
  readonly group: number;
  readonly rows: readonly TableRow[];
  readonly blocks: number;
  readonly blockSize: number;
  readonly rule: Rule;
  readonly isQuantized: boolean;
}

const blockwiseOp: OpDef<BlockAttrs> = {
  kind: "blockwise",
  outputs: () => [],
  lower(ctx, { group, rows, blocks, blockSize, rule, isQuantized }) {
    const states = rule === "adam" ? 2 : 1;
    const bindings: Record<string, Tensor> = {};
    for (const name of ["scalars", "report", "table", ...(isQuantized ? ["book"] : [])]) bindings[name] = ctx.input(name);
    for (const name of ["param", "grad", ...(isQuantized ? ["scales", "codes"] : ["state"])]) bindings[name] = ctx.accumulated(name);
    return [
      {
        kernel: { name: `blockwise-${rule}`, source: `${source}\n${walk}` },
        defines: {
          ADAM: rule === "adam",
          LION: rule === "lion",
          QUANTIZED: isQuantized,
          BLOCK: blockSize,
          PER: blockSize / 256,
          STATES: states,
          HALF: blockSize / 4,
          WORDS: (states * blockSize) / 4,
        },
        bindings,
        params: { rows: rows.length, blocks, per: blockSize / 256, base: group * scalarsPerGroup },
        grid: spread(blocks),
      },
    ];
  },
  reference: interpretBlocks,
};

/** In float64; codes are words of four, as on the GPU. */
function interpretBlocks(inputs: RefMap, { group, rows, blockSize, rule, isQuantized }: BlockAttrs): Float64Array[] {
  const data = (name: string): Float64Array => Float64Array.from(inputs[name]?.data ?? []);
  const [param, grad, report, book] = [data("param"), data("grad"), data("report"), data("book")];
  const [scales, codes, small] = [data("scales"), data("codes"), data("state")];
  const [b1 = 0, b1Rest = 0, b2 = 0, b2Rest = 0, rate = 0, extra = 0, decay = 1] = data("scalars").slice(group * scalarsPerGroup);
  const states = rule === "adam" ? 2 : 1;
  const bytes = new Uint8Array(Uint32Array.from(codes).buffer);
  let block = 0;
  for (const { tensor, state } of report[2] === 0 ? [] : rows) {
    for (let first = 0; first < tensor.count; first += blockSize, block++) {
      const size = Math.min(blockSize, tensor.count - first);
      const fresh = Array.from({ length: states }, () => new Float64Array(size));
      for (let i = 0; i < size; i++) {
        const at = placeOf(tensor, first + i);
        const before = (s: number): number =>
          isQuantized
            ? (book[256 * s + (bytes[(block * states + s) * blockSize + i] ?? 0)] ?? 0) * (scales[block * states + s] ?? 0)
            : (small[state + (first + i) * states + s] ?? 0);
        const g = (grad[at] ?? 0) * (report[1] ?? 1);
        const value = param[at] ?? 0;
        let m: number;
        if (rule === "adam") {
          m = b1 * before(0) + b1Rest * g;
          const v = b2 * before(1) + b2Rest * g * g;
          fresh[1]![i] = v;
          param[at] = (value - rate * (m / (Math.sqrt(v) + extra))) * decay;
        } else if (rule === "lion") {
          param[at] = value * decay - rate * Math.sign(b1 * before(0) + b1Rest * g);
          m = b2 * before(0) + b2Rest * g;
        } else {
          m = b1 * before(0) + g + extra * value;
          param[at] = value - rate * m;
        }
        fresh[0]![i] = m;
      }
      fresh.forEach((values, s) => {
        const scale = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
        scales[block * states + s] = scale;
        values.forEach((v, i) => {
          if (isQuantized) bytes[(block * states + s) * blockSize + i] = nearestCode(book.subarray(256 * s, 256 * s + 256), v, scale, s === 0);
          else small[state + (first + i) * states + s] = v;
        });
      });
    }
  }
  // Tensors of the other size have their turn in another op.
  for (const { tensor } of rows) for (let i = 0; i < tensor.count; i++) grad[placeOf(tensor, i)] = 0;
  return [param, grad, ...(isQuantized ? [scales, Float64Array.from(new Uint32Array(bytes.buffer))] : [small])];
}

function nearestCode(book: Float64Array, value: number, scale: number, isSigned: boolean): number {
  if (scale === 0) return isSigned ? 127 : 0;
  const distance = (code: number): number => Math.abs((book[code] ?? 0) - value / scale);
  const code = book.reduce((best, _, i) => (distance(i) < distance(best) ? i : best), 0);
  return isSigned && value < 0 && (book[code] ?? 0) >= 0 ? code - 1 : code;
}
