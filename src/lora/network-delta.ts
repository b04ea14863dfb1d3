/** Reads a module's factors and brings them to one of two forms: low-rank products or a Kronecker product. */
import { InputError, invariant } from "../errors.ts";
import { elementCount } from "../formats/dtypes.ts";
import type { TensorEntry, TensorFile } from "../formats/tensor-file.ts";
import type { NetworkModule } from "./network-file.ts";
import type { NetworkPart } from "./network-names.ts";

/** up [out, rank] · down [rank, width], row-major; columns are (input channel, kernel position). */
export interface FactorPair {
  readonly up: Float32Array;
  readonly down: Float32Array;
}

export type ModuleDelta =
  /** One product, or the product by element of two. */
  | { readonly form: "product"; readonly rank: number; readonly pairs: readonly FactorPair[] }
  /** w1 [a, c] ⊗ w2 [b, d, kernel positions]; a full difference has w1 = 1. */
  | { readonly form: "kronecker"; readonly kron: KronShape; readonly w1: Float32Array; readonly w2: Float32Array };

/** out = a · b, input channels = c · d. */
export interface KronShape {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** The form of a module, from its header. @param taps kernel positions of the layer */
export function deltaForm({ algorithm, parts, out, width }: NetworkModule, taps: number): "product" | "hadamard" | KronShape {
  if (algorithm === "LoHa") return "hadamard";
  if (algorithm === "full") return { a: 1, b: out, c: 1, d: width / taps };
  if (algorithm !== "LoKr") return "product";
  const whole = parts.get("lokr_w1")?.shape;
  const a = whole?.[0] ?? parts.get("lokr_w1_a")?.shape[0] ?? 1;
  const c = whole?.[1] ?? parts.get("lokr_w1_b")?.shape[1] ?? 1;
  return { a, b: out / a, c, d: width / taps / c };
}

const notFactors: readonly NetworkPart[] = ["alpha", "dora_scale", "diff_b"];
const multiplied: readonly NetworkPart[] = ["lora_mid", "hada_t1", "lokr_w1_a", "lokr_w2_a"];

/** Whether all values that `readDelta` gives are half-precision numbers of the file. */
export function isHalf({ parts }: NetworkModule): boolean {
  if (multiplied.some((part) => parts.has(part))) return false;
  return [...parts].every(([part, { dtype }]) => notFactors.includes(part) || dtype === "F16");
}

/**
 * Reads a module's factors as f32. Tucker cores are multiplied into the right factor.
 * Throws InputError `lora.notFinite`.
 * @param taps kernel positions of the layer (1 or 9)
 */
export async function readDelta(file: TensorFile, module: NetworkModule, taps: number): Promise<ModuleDelta> {
  const { parts, rank } = module;
  const read = async (part: NetworkPart): Promise<Float32Array> => {
    const entry = parts.get(part);
    invariant(entry !== undefined, `${module.name} has ${part}`);
    return readFinite(file, entry);
  };
  const form = deltaForm(module, taps);
  if (form === "product") {
    const down = await read("lora_down");
    const width = elementCount(parts.get("lora_down")!.shape.slice(1));
    const mid = parts.get("lora_mid");
    const right = mid === undefined ? down : throughCore(await read("lora_mid"), mid.shape, down, width);
    return { form, rank, pairs: [{ up: await read("lora_up"), down: right }] };
  }
  if (form === "hadamard") {
    const pairs: FactorPair[] = [];
    for (const n of ["1", "2"] as const) {
      const a = await read(`hada_w${n}_a`);
      const b = await read(`hada_w${n}_b`);
      const core = parts.get(`hada_t${n}`);
      if (core === undefined) pairs.push({ up: a, down: b });
      else {
        const down = throughCore(await read(`hada_t${n}`), core.shape, b, b.length / core.shape[1]!);
        pairs.push({ up: transpose(a, core.shape[0]!), down });
      }
    }
    return { form: "product", rank, pairs };
  }
  if (module.algorithm === "full") return { form: "kronecker", kron: form, w1: Float32Array.of(1), w2: await read("diff") };
  const w1 = parts.has("lokr_w1") ? await read("lokr_w1") : multiply(await read("lokr_w1_a"), await read("lokr_w1_b"), form.a);
  return { form: "kronecker", kron: form, w1, w2: await readSecondFactor(parts, read, form) };
}

/** DoRA's magnitudes, [out] or [in]. Throws InputError `lora.notFinite`. */
export async function readMagnitudes(file: TensorFile, { name, parts }: NetworkModule): Promise<Float32Array> {
  const entry = parts.get("dora_scale");
  invariant(entry !== undefined, `${name} has magnitudes`);
  return readFinite(file, entry);
}

async function readSecondFactor(
  parts: NetworkModule["parts"],
  read: (part: NetworkPart) => Promise<Float32Array>,
  { b, d }: KronShape,
): Promise<Float32Array> {
  if (parts.has("lokr_w2")) return read("lokr_w2");
  const [left, right] = [await read("lokr_w2_a"), await read("lokr_w2_b")];
  const core = parts.get("lokr_t2");
  if (core === undefined) return multiply(left, right, b);
  return multiply(transpose(left, core.shape[0]!), throughCore(await read("lokr_t2"), core.shape, right, d), b);
}

async function readFinite(file: TensorFile, entry: TensorEntry): Promise<Float32Array> {
  const values = await file.readF32(entry.name);
  if (values.every(Number.isFinite)) return values;
  throw new InputError(
    "lora.notFinite",
    `${file.source.name} holds values in ${entry.name} that are not finite: its training failed, or the file is damaged.`,
    { file: file.source.name, key: entry.name },
  );
}

/** core [m, n, kernel] applied to right [n, width]: [m, width, kernel]. */
function throughCore(core: Float32Array, shape: readonly number[], right: Float32Array, width: number): Float32Array {
  const [m = 0, n = 0] = shape;
  const taps = elementCount(shape.slice(2));
  const result = new Float32Array(m * width * taps);
  const sums = new Float64Array(width * taps);
  for (let i = 0; i < m; i++) {
    sums.fill(0);
    for (let j = 0; j < n; j++) {
      for (let tap = 0; tap < taps; tap++) {
        const factor = core[(i * n + j) * taps + tap]!;
        for (let x = 0; x < width; x++) sums[x * taps + tap]! += factor * right[j * width + x]!;
      }
    }
    result.set(sums, i * width * taps);
  }
  return result;
}

/** left [rows, inner] · right [inner, columns]. */
function multiply(left: Float32Array, right: Float32Array, rows: number): Float32Array {
  const inner = left.length / rows;
  const columns = right.length / inner;
  const result = new Float32Array(rows * columns);
  const sums = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    sums.fill(0);
    for (let k = 0; k < inner; k++) {
      const factor = left[row * inner + k]!;
      for (let x = 0; x < columns; x++) sums[x]! += factor * right[k * columns + x]!;
    }
    result.set(sums, row * columns);
  }
  return result;
}

/** [rows, columns] to [columns, rows]. */
function transpose(values: Float32Array, rows: number): Float32Array {
  const columns = values.length / rows;
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column]!;
  }
  return result;
}
