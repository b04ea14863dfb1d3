/** The checkpoint file of a model that was trained itself: the base's file with other weights, in the layout that the webui reads. */
import { invariant } from "../errors.ts";
import { elementCount } from "../gpu/graph/tensor.ts";
import { streamSafetensors, type StreamedFile, type StreamedTensor } from "../formats/streamed-file.ts";
import { vaePrefix, type Checkpoint } from "../models/checkpoint-types.ts";
import { dtypes, encode, type SavePrecision } from "./file.ts";
import type { Metadata } from "../formats/safetensors-writer.ts";

/** Elements that are read and converted at once. */
const pieceElements = 2 ** 21;
/** Averages of an earlier training say nothing of this one; loaders that take them would undo it. */
const stale = /^model_ema\./;
const floats = new Set(["F64", "F32", "F16", "BF16"]);

/** Values of some rows of a tensor, in PyTorch's order. */
export interface TrainedRows {
  /** The checkpoint's key. */
  readonly key: string;
  readonly firstRow: number;
  readonly shape: readonly number[];
  values(): AsyncIterable<Float32Array<ArrayBuffer>>;
}

/**
 * Model weights in the given precision, trained or not, as sd-scripts writes them, under the standard keys; whatever else
 * the base's file has stays as it is, but averages (EMA) are left out.
 */
export function writeModelFile(
  base: Pick<Checkpoint, "file" | "keys" | "unet" | "textEncoder">, trained: readonly TrainedRows[], metadata: Metadata, precision: SavePrecision,
): StreamedFile {
  const { file, keys } = base;
  const rows = new Map<string, TrainedRows[]>();
  for (const part of trained) rows.set(part.key, [...(rows.get(part.key) ?? []), part].toSorted((a, b) => a.firstRow - b.firstRow));
  const prefixes = [base.unet.prefix, base.textEncoder.prefix, vaePrefix];
  const tensors = new Map<string, StreamedTensor>();
  for (const [key, fileKey] of keys) {
    const { dtype, shape } = file.entry(fileKey);
    if (!floats.has(dtype) || !prefixes.some((prefix) => key.startsWith(`${prefix}.`))) continue;
    const own = rows.get(key);
    const values = own === undefined ? () => stored(base, fileKey) : () => joined(own);
    invariant(own === undefined || own.reduce((sum, part) => sum + elementCount(part.shape), 0) === elementCount(shape), `${key} is trained in part`);
    tensors.set(key, { name: key, dtype: dtypes[precision], shape, data: () => encoded(values(), precision) });
  }
  const taken = new Set([...tensors.keys()].map((key) => keys.get(key)));
  for (const { name, dtype, shape } of file.tensors.values()) {
    if (taken.has(name) || tensors.has(name) || stale.test(name)) continue;
    // Buffers and odd extras are small.
    tensors.set(name, { name, dtype, shape, data: async function* () { yield await file.read(name); } });
  }
  for (const key of rows.keys()) invariant(tensors.has(key), `the base has no ${key}`);
  return streamSafetensors([...tensors.values()], metadata);
}

async function* stored({ file }: Pick<Checkpoint, "file">, fileKey: string): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const total = elementCount(file.entry(fileKey).shape);
  for (let at = 0; at < total; at += pieceElements) yield file.readF32Range(fileKey, at, Math.min(pieceElements, total - at));
}

async function* joined(parts: readonly TrainedRows[]): AsyncGenerator<Float32Array<ArrayBuffer>> {
  for (const part of parts) yield* part.values();
}

async function* encoded(values: AsyncIterable<Float32Array<ArrayBuffer>>, precision: SavePrecision): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for await (const piece of values) yield Uint8Array.from(encode(piece, precision));
}
