import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { invariant } from "../errors.ts";
import { bfloatsFromFloats, halvesFromFloats } from "../formats/half.ts";
import type { PlannedFile, TensorSpec } from "../formats/safetensors-writer.ts";
import { safetensorsHeader } from "../formats/safetensors-writer.ts";
import { encodeTorchFile } from "../formats/torch-writer.ts";

/** One adapted module as sd-scripts or LyCORIS trains it. */
export interface LoraModule {
  /** kohya name, e.g. `lora_unet_mid_block_attentions_0_proj_in`. */
  readonly name: string;
  /** What the factors make is multiplied by alpha / rank. */
  readonly alpha: number;
  /** End of each tensor's name, e.g. `lora_down.weight`, and its shape. */
  readonly factors: readonly { readonly key: string; readonly shape: readonly number[] }[];
  /** By key, row-major. */
  readonly weights: Readonly<Record<string, Float32Array>>;
}

export type SavePrecision = "float" | "fp16" | "bf16";

export interface LoraFileContents {
  readonly modules: readonly LoraModule[];
  /** `ss_*` and `modelspec.*`; the hashes are added here. */
  readonly metadata: Readonly<Record<string, string>> | ReadonlyMap<string, string>;
  readonly savePrecision: SavePrecision;
}

interface ValueSpec extends TensorSpec {
  readonly values: Float32Array;
}

export const dtypes = { float: "F32", fp16: "F16", bf16: "BF16" } as const;
/** The web UI's old model hash covers 64 KiB from 1 MiB on. */
const legacyStart = 0x100000;
const legacyEnd = 0x110000;

/**
 * An adapter file as sd-scripts writes it: `<name>.alpha` and the factors, for example `.lora_down.weight` and
 * `.lora_up.weight`, all in one number format, with the hashes by which the web UI recognizes models.
 */
export function writeLoraFile({ modules, metadata, savePrecision }: LoraFileContents): Uint8Array<ArrayBuffer> {
  const specs = modules.flatMap((module) => moduleSpecs(module, dtypes[savePrecision]));
  const pairs: [string, string][] = metadata instanceof Map ? [...metadata] : Object.entries(metadata);
  const plan = (model: string, legacy: string): PlannedFile<ValueSpec> =>
    safetensorsHeader(
      specs,
      new Map([...pairs, ["sshs_model_hash", model], ["sshs_legacy_hash", legacy]]),
    );

  // The hashes cover the data, which is written first; their places in the header have a fixed length.
  const draft = plan("0".repeat(64), "0".repeat(8));
  const file = new Uint8Array(draft.totalBytes);
  const data = file.subarray(draft.header.length);
  for (const { spec, offset, byteLength } of draft.ordered) {
    const bytes = encode(spec.values, savePrecision);
    invariant(bytes.length === byteLength, `the values of ${spec.name} fill its shape`);
    data.set(bytes, offset);
  }
  const trainingOnly = new Map(pairs.filter(([key]) => key.startsWith("ss_")));
  const { header } = plan(hex(data), legacyHash(safetensorsHeader(specs, trainingOnly).header, data));
  file.set(header);
  return file;
}

/** The same as sd-scripts writes it with `save_model_as` `pt` or `ckpt`: by PyTorch, with nothing but the tensors. */
export function writeLoraPickle({ modules, savePrecision }: Omit<LoraFileContents, "metadata">): Uint8Array<ArrayBuffer> {
  const dtype = dtypes[savePrecision];
  const specs = modules.flatMap((module) => moduleSpecs(module, dtype));
  return encodeTorchFile(new Map(specs.map(({ name, shape, values }) => [name, { dtype, shape, data: encode(values, savePrecision) }])));
}

function moduleSpecs(module: LoraModule, dtype: ValueSpec["dtype"]): ValueSpec[] {
  const { name, alpha, factors, weights } = module;
  const factorSpecs = factors.map(({ key, shape }): ValueSpec => {
    const values = weights[key];
    invariant(values !== undefined, `${name} has no ${key}`);
    return { name: `${name}.${key}`, dtype, shape, values };
  });
  return [{ name: `${name}.alpha`, dtype, shape: [], values: Float32Array.of(alpha) }, ...factorSpecs];
}

/** Values as the bytes of a file. */
export function encode(values: Float32Array, precision: SavePrecision): Uint8Array {
  const array =
    precision === "float" ? values : precision === "fp16" ? halvesFromFloats(values) : bfloatsFromFloats(values);
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Hash over a part of the file that would have only the training metadata in its header. */
function legacyHash(header: Uint8Array, data: Uint8Array): string {
  const part = new Uint8Array(Math.max(0, Math.min(legacyEnd, header.length + data.length) - legacyStart));
  if (header.length > legacyStart) part.set(header.subarray(legacyStart, legacyEnd));
  const dataStart = Math.max(0, legacyStart - header.length);
  const at = Math.max(0, header.length - legacyStart);
  if (at < part.length) part.set(data.subarray(dataStart, dataStart + part.length - at), at);
  return hex(part).slice(0, 8);
}

function hex(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes));
}
