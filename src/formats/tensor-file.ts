/** What a file of tensors offers, whatever its format; the formats differ only in where a tensor's bytes come from. */
import { InputError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import type { Dtype } from "./dtypes.ts";
import { elementCount } from "./dtypes.ts";
import { floatsFromBfloats, floatsFromHalves, halvesFromFloats } from "./half.ts";

export interface TensorEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  /** Of its elements in a row. */
  readonly byteLength: number;
}

const floatBytes: Partial<Record<Dtype, number>> = { F64: 8, F32: 4, F16: 2, BF16: 2 };
/** Elements converted at once when a whole tensor is read: 4 MiB of f32. */
const chunkElements = 1 << 20;

export abstract class TensorFile<Entry extends TensorEntry = TensorEntry> {
  readonly source: ByteSource;
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, Entry>;

  constructor(
    source: ByteSource,
    metadata: ReadonlyMap<string, string>,
    tensors: ReadonlyMap<string, Entry>,
  ) {
    this.source = source;
    this.metadata = metadata;
    this.tensors = tensors;
  }

  /** Some of a tensor's little-endian, row-major bytes as a fresh copy: `length` of them from byte `at` on. */
  abstract readBytes(entry: Entry, at: number, length: number): Promise<Uint8Array<ArrayBuffer>>;

  /** Throws InputError `tensors.missing`. */
  entry(name: string): Entry {
    const entry = this.tensors.get(name);
    if (entry) return entry;
    throw new InputError("tensors.missing", `${this.source.name} has no tensor ${name}.`, {
      file: this.source.name,
      tensor: name,
    });
  }

  /** Raw little-endian bytes of a tensor, as a fresh copy. */
  async read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const entry = this.entry(name);
    return this.readBytes(entry, 0, entry.byteLength);
  }

  /** Values of a float tensor (F64, F32, F16, BF16), row-major. Throws InputError `tensors.notFloat`. */
  async readF32(name: string): Promise<Float32Array<ArrayBuffer>> {
    const target = new Float32Array(elementCount(this.entry(name).shape));
    for await (const { start, data } of this.#floatChunks(name, chunkElements)) target.set(data, start);
    return target;
  }

  /** Some values of a float tensor as `readF32` gives them: `count` of them from element `start` on. */
  async readF32Range(name: string, start: number, count: number): Promise<Float32Array<ArrayBuffer>> {
    const entry = this.entry(name);
    const size = floatBytes[entry.dtype];
    if (size === undefined) throw this.#wrongType("tensors.notFloat", name, entry.dtype, "floating-point numbers");
    return toFloats(entry.dtype, (await this.readBytes(entry, start * size, count * size)).buffer);
  }

  /** f16 bits of a float tensor, rounded to nearest even; too large values become infinities. */
  async readF16(name: string): Promise<Uint16Array<ArrayBuffer>> {
    const target = new Uint16Array(elementCount(this.entry(name).shape));
    for await (const { start, data } of this.readF16Chunks(name, chunkElements)) target.set(data, start);
    return target;
  }

  /** As `readF16`, in pieces of at most `chunkElems` elements, so that big tensors never need a second full copy. */
  async *readF16Chunks(
    name: string,
    chunkElems: number,
  ): AsyncGenerator<{ start: number; data: Uint16Array<ArrayBuffer> }> {
    if (this.entry(name).dtype === "F16") {
      for await (const { start, bytes } of this.#chunks(name, chunkElems, 2)) {
        yield { start, data: new Uint16Array(bytes.buffer) };
      }
      return;
    }
    for await (const { start, data } of this.#floatChunks(name, chunkElems)) {
      yield { start, data: halvesFromFloats(data) };
    }
  }

  /** Values of an integer or boolean tensor that fit in 32 bits. */
  async readInts(name: string): Promise<Int32Array<ArrayBuffer>> {
    const { dtype } = this.entry(name);
    const { buffer } = await this.read(name);
    switch (dtype) {
      case "I32":
        return new Int32Array(buffer);
      case "I16":
        return Int32Array.from(new Int16Array(buffer));
      case "U16":
        return Int32Array.from(new Uint16Array(buffer));
      case "I8":
        return Int32Array.from(new Int8Array(buffer));
      case "U8":
      case "BOOL":
        return Int32Array.from(new Uint8Array(buffer));
      case "U32":
        return this.#narrow(name, Array.from(new Uint32Array(buffer)));
      case "I64":
        return this.#narrow(name, Array.from(new BigInt64Array(buffer), Number));
      case "U64":
        return this.#narrow(name, Array.from(new BigUint64Array(buffer), Number));
      default:
        throw this.#wrongType("tensors.notInteger", name, dtype, "whole numbers");
    }
  }

  #narrow(name: string, values: number[]): Int32Array<ArrayBuffer> {
    if (values.some((value) => value !== (value | 0))) {
      throw new InputError(
        "tensors.integerRange",
        `${this.source.name}: tensor ${name} holds whole numbers beyond 32 bits.`,
        { file: this.source.name, tensor: name },
      );
    }
    return Int32Array.from(values);
  }

  async *#floatChunks(
    name: string,
    chunkElems: number,
  ): AsyncGenerator<{ start: number; data: Float32Array<ArrayBuffer> }> {
    const { dtype } = this.entry(name);
    const size = floatBytes[dtype];
    if (size === undefined) throw this.#wrongType("tensors.notFloat", name, dtype, "floating-point numbers");
    for await (const { start, bytes } of this.#chunks(name, chunkElems, size)) {
      yield { start, data: toFloats(dtype, bytes.buffer) };
    }
  }

  async *#chunks(
    name: string,
    chunkElems: number,
    elementBytes: number,
  ): AsyncGenerator<{ start: number; bytes: Uint8Array<ArrayBuffer> }> {
    const entry = this.entry(name);
    const { byteLength } = entry;
    const step = chunkElems * elementBytes;
    for (let at = 0; at < byteLength; at += step) {
      const bytes = await this.readBytes(entry, at, Math.min(step, byteLength - at));
      yield { start: at / elementBytes, bytes };
    }
  }

  #wrongType(code: string, name: string, dtype: Dtype, wanted: string): InputError {
    return new InputError(code, `${this.source.name}: tensor ${name} has type ${dtype}, but ${wanted} are needed.`, {
      file: this.source.name,
      tensor: name,
      dtype,
    });
  }
}

/** F64 goes through f32, as PyTorch's `.float()` and `.half()` do. */
function toFloats(dtype: Dtype, buffer: ArrayBuffer): Float32Array<ArrayBuffer> {
  if (dtype === "F32") return new Float32Array(buffer);
  if (dtype === "F64") return Float32Array.from(new Float64Array(buffer));
  const bits = new Uint16Array(buffer);
  const target = new Float32Array(bits.length);
  if (dtype === "F16") floatsFromHalves(bits, target);
  else floatsFromBfloats(bits, target);
  return target;
}
