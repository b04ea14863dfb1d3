import type { ErrorData } from "../errors.ts";
import { InputError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import type { Dtype } from "./dtypes.ts";
import { dtypeBits, elementCount, isDtype } from "./dtypes.ts";
import type { JsonValue } from "./strict-json.ts";
import { JsonNumber, JsonSyntaxError, parseStrictJson } from "./strict-json.ts";
import type { TensorEntry } from "./tensor-file.ts";

/** The reference implementation's limit. */
const maxHeaderBytes = 100_000_000;
const advice = "The file is damaged or incomplete: download or export it again.";

export interface SafetensorsEntry extends TensorEntry {
  /** Absolute byte position in the file. */
  readonly offset: number;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  /** In header order. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
}

/**
 * Reads and validates a header: everything that the reference implementation (safetensors 0.8) refuses is refused,
 * and so are duplicate keys and leading white space, which the specification forbids. Throws InputError
 * `safetensors.{tooShort,headerTooLarge,truncated,headerUtf8,headerJson,duplicateKey,metadata,entry,dtype,size,
 * offsets,overlap,trailing}`.
 */
export async function parseSafetensorsHeader(source: ByteSource): Promise<SafetensorsHeader> {
  const fail = (code: string, what: string, data: ErrorData = {}): never => {
    throw new InputError(`safetensors.${code}`, `${source.name}: ${what}. ${advice}`, { file: source.name, ...data });
  };
  if (source.size < 8) fail("tooShort", `a safetensors file has at least 8 bytes, this has ${source.size}`);
  const lengthBytes = await source.read(0, 8);
  const headerBytes = Number(new DataView(lengthBytes.buffer).getBigUint64(0, true));
  if (headerBytes > maxHeaderBytes) {
    fail("headerTooLarge", "not a safetensors file, or its header length is wrong (above 100 MB)");
  }
  const dataStart = 8 + headerBytes;
  if (dataStart > source.size) {
    fail("truncated", `the header should have ${headerBytes} bytes, but the file ends after ${source.size}`);
  }

  const json = parseJson(decode(await source.read(8, headerBytes), fail), fail);
  const metadata = readMetadata(json.get("__metadata__"), fail);
  const tensors = new Map<string, SafetensorsEntry>();
  for (const [name, value] of json) {
    if (name !== "__metadata__") tensors.set(name, readEntry(name, value, dataStart, fail));
  }
  checkTiling([...tensors.values()], dataStart, source.size, fail);
  return { metadata, tensors };
}

type Fail = (code: string, what: string, data?: ErrorData) => never;

function decode(bytes: Uint8Array, fail: Fail): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail("headerUtf8", "the header is not valid UTF-8");
  }
}

function parseJson(text: string, fail: Fail): Map<string, JsonValue> {
  if (!text.startsWith("{")) fail("headerJson", "the header does not start with {");
  try {
    const value = parseStrictJson(text);
    if (value instanceof Map) return value;
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    if (error.key !== undefined) fail("duplicateKey", `in the header ${error.message}`, { key: error.key });
    fail("headerJson", `the header is not valid JSON (${error.message})`);
  }
  return fail("headerJson", "the header is not a JSON object");
}

function readMetadata(value: JsonValue | undefined, fail: Fail): Map<string, string> {
  const metadata = new Map<string, string>();
  if (value === undefined || value === null) return metadata;
  if (!(value instanceof Map)) return fail("metadata", "__metadata__ is not an object");
  for (const [key, text] of value) {
    if (typeof text !== "string") return fail("metadata", `__metadata__.${key} is not a string`, { key });
    metadata.set(key, text);
  }
  return metadata;
}

function readEntry(name: string, value: JsonValue, dataStart: number, fail: Fail): SafetensorsEntry {
  const field = (key: string): JsonValue | undefined => (value instanceof Map ? value.get(key) : undefined);
  const data = { tensor: name };
  const dtype = field("dtype");
  if (typeof dtype !== "string") return fail("entry", `tensor ${name} has no dtype`, data);
  if (!isDtype(dtype)) return fail("dtype", `tensor ${name} has the unknown type ${dtype}`, { ...data, dtype });
  const shape = naturals(field("shape"));
  if (!shape) return fail("entry", `tensor ${name} has no valid shape`, data);
  const [begin, end, ...more] = naturals(field("data_offsets")) ?? [];
  if (begin === undefined || end === undefined || more.length > 0 || begin > end) {
    return fail("offsets", `tensor ${name} has no valid data_offsets`, data);
  }
  const wanted = byteSize(dtype, shape);
  if (wanted !== end - begin) {
    return fail("size", `tensor ${name} (${dtype} [${shape.join(", ")}]) does not fit its ${end - begin} bytes`, data);
  }
  return { name, dtype, shape, offset: dataStart + begin, byteLength: end - begin };
}

/** Bytes of a tensor; undefined when the count overflows or a sub-byte type does not end on a byte. */
function byteSize(dtype: Dtype, shape: readonly number[]): number | undefined {
  const bits = elementCount(shape) * dtypeBits[dtype];
  return Number.isSafeInteger(bits) && bits % 8 === 0 ? bits / 8 : undefined;
}

function naturals(value: JsonValue | undefined): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const numbers = value.map((item) => (item instanceof JsonNumber ? item.natural : undefined));
  return numbers.every((number) => number !== undefined) ? numbers : undefined;
}

/** Tensors must follow each other without hole or overlap from the end of the header to the end of the file. */
function checkTiling(entries: SafetensorsEntry[], dataStart: number, fileSize: number, fail: Fail): void {
  entries.sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let at = dataStart;
  for (const { name, offset, byteLength } of entries) {
    if (offset < at) fail("overlap", `the data of tensor ${name} overlaps another tensor's`, { tensor: name });
    if (offset > at) fail("offsets", `there is a hole of ${offset - at} bytes before tensor ${name}`, { tensor: name });
    at = offset + byteLength;
  }
  if (at > fileSize) fail("truncated", `the tensors need ${at} bytes, but the file has ${fileSize}`);
  if (at < fileSize) fail("trailing", `${fileSize - at} bytes follow the last tensor`);
}
