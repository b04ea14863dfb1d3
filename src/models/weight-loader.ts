/**
 * Streams weights from a checkpoint into GPU memory: row by row ranges, converted to f16 or fp8 (frozen ones) or f32 and
 * repacked on the way, never more than a few MiB at a time on the CPU.
 */
import { InputError, invariant } from "../errors.ts";
import { float8FromHalves } from "../formats/float8.ts";
import { byteLength, elementCount, type Tensor } from "../gpu/graph/tensor.ts";
import type { WeightSource } from "../gpu/graph/graph.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Residents } from "../gpu/program/residents.ts";
import type { WeightFile } from "./checkpoint-types.ts";

/** Elements per chunk: 4 MiB of f16. */
const chunkElements = 2 ** 21;
/** Bytes handed to the queue before waiting for it, so that staging memory stays small. */
const maxBytesInFlight = 64 * 2 ** 20;

export interface LoadOptions {
  readonly signal?: AbortSignal;
  onProgress?(doneBytes: number, totalBytes: number): void;
}

export async function loadWeights(
  gpu: Gpu,
  origin: WeightFile,
  weights: ReadonlyMap<Tensor, WeightSource>,
  residents: Residents,
  options: LoadOptions = {},
): Promise<void> {
  const total = [...weights.keys()].reduce((sum, tensor) => sum + byteLength(tensor), 0);
  let done = 0;
  let inFlight = 0;
  for (const [tensor, source] of weights) {
    for await (const { offset, data } of readWeight(origin, tensor, source)) {
      options.signal?.throwIfAborted();
      residents.write(tensor.name, data, offset);
      inFlight += data.byteLength;
      done += data.byteLength;
      if (inFlight > maxBytesInFlight) {
        await gpu.idle();
        inFlight = 0;
        options.onProgress?.(done, total);
      }
    }
  }
  await gpu.idle();
  options.onProgress?.(total, total);
}

interface Piece {
  /** Bytes from the start of the tensor. */
  readonly offset: number;
  readonly data: Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
}

type Values = Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

/** Values as the tensor holds them. */
function stored({ dtype }: Tensor, values: Values): Piece["data"] {
  return dtype === "f8" && values instanceof Uint16Array ? float8FromHalves(values) : values;
}

async function* readWeight(origin: WeightFile, tensor: Tensor, source: WeightSource): AsyncGenerator<Piece> {
  let offset = 0;
  for (const part of mergeParts(source.parts)) {
    const key = fileKey(origin, part.key);
    const { shape } = origin.file.entry(key);
    const read = tensor.dtype === "f32" ? readFloats : readHalves;
    if (source.layout === "oihw") {
      for await (const values of repackConvolution(origin, key, shape, read)) {
        const data = stored(tensor, values);
        yield { offset, data };
        offset += data.byteLength;
      }
    } else {
      const columns = elementCount(shape.slice(1));
      const start = part.rowStart * columns;
      const end = part.rows === undefined ? elementCount(shape) : start + part.rows * columns;
      for await (const piece of read(origin, key, chunkElements)) {
        const from = Math.max(start, piece.start);
        const to = Math.min(end, piece.start + piece.data.length);
        if (from >= to) continue;
        const data = stored(tensor, piece.data.subarray(from - piece.start, to - piece.start));
        yield { offset, data };
        offset += data.byteLength;
      }
    }
  }
  const read = Math.ceil(offset / 4) * 4;
  invariant(source.isZeroPadded === true ? read <= byteLength(tensor) : read === byteLength(tensor), `${tensor.name}: read ${offset} of ${byteLength(tensor)} bytes`);
}

/** [O, I, kh, kw] to [O, kh, kw, I padded to a multiple of 4], some output channels at a time. */
async function* repackConvolution(
  origin: WeightFile,
  key: string,
  shape: readonly number[],
  read: typeof readFloats | typeof readHalves,
): AsyncGenerator<Values> {
  const [, channels = 0, kh = 0, kw = 0] = shape;
  const taps = kh * kw;
  const padded = Math.ceil(channels / 4) * 4;
  const perOutput = channels * taps;
  const outputsPerChunk = Math.max(1, Math.floor(chunkElements / perOutput));
  for await (const { data } of read(origin, key, outputsPerChunk * perOutput)) {
    const outputs = data.length / perOutput;
    const size = outputs * taps * padded;
    const packed = data instanceof Float32Array ? new Float32Array(size) : new Uint16Array(size);
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < channels; i++) {
        const from = o * perOutput + i * taps;
        const to = o * taps * padded + i;
        for (let tap = 0; tap < taps; tap++) packed[to + tap * padded] = data[from + tap] ?? 0;
      }
    }
    yield packed;
  }
}

/** f16 chunks; a value that f16 cannot hold would poison every activation, so it is refused by name. */
async function* readHalves(
  origin: WeightFile,
  key: string,
  elements: number,
): AsyncGenerator<{ start: number; data: Uint16Array<ArrayBuffer> }> {
  for await (const piece of origin.file.readF16Chunks(key, elements)) {
    if (piece.data.some((bits) => (bits & 0x7c00) === 0x7c00)) {
      throw new InputError("model.notFinite", `${key} holds values that are not finite in half precision: the checkpoint is damaged`, {
        key,
        file: origin.file.source.name,
      });
    }
    yield piece;
  }
}

/** f32 chunks; values that are not finite would poison every activation, too. */
async function* readFloats(
  origin: WeightFile,
  key: string,
  elements: number,
): AsyncGenerator<{ start: number; data: Float32Array<ArrayBuffer> }> {
  const total = elementCount(origin.file.entry(key).shape);
  for (let start = 0; start < total; start += elements) {
    const data = await origin.file.readF32Range(key, start, Math.min(elements, total - start));
    if (!data.every(Number.isFinite)) {
      throw new InputError("model.notFinite", `${key} holds values that are not finite: the checkpoint is damaged`, {
        key,
        file: origin.file.source.name,
      });
    }
    yield { start, data };
  }
}

/** Neighbouring row ranges of one key become one, so that stacked q/k/v are read once. */
function mergeParts(parts: WeightSource["parts"]): { key: string; rowStart: number; rows: number | undefined }[] {
  const merged: { key: string; rowStart: number; rows: number | undefined }[] = [];
  for (const { key, rowStart = 0, rows } of parts) {
    const last = merged.at(-1);
    if (last?.key === key && last.rows !== undefined && rows !== undefined && last.rowStart + last.rows === rowStart) {
      last.rows += rows;
    } else merged.push({ key, rowStart, rows });
  }
  return merged;
}

function fileKey(origin: WeightFile, key: string): string {
  const found = origin.keys.get(key);
  invariant(found !== undefined, `${origin.file.source.name} has no ${key}`);
  return found;
}
