/**
 * Writes what `torch.save` writes of dictionaries of tensors: a zip file of a pickle and the tensors' data. The pickle
 * names nothing but tensors' own classes, so that readers which run no code of a file (`weights_only`) take it.
 */
import { elementCount } from "./dtypes.ts";
import { invariant } from "../errors.ts";
import { encodeStoredZip } from "./stored-zip.ts";

export interface SavedTensor {
  readonly dtype: keyof typeof storages;
  readonly shape: readonly number[];
  /** Row-major, little-endian. */
  readonly data: Uint8Array;
}

/** Numbers are whole ones of 32 bits. */
export type SavedValue = string | number | null | SavedTensor | ReadonlyMap<string, SavedValue>;

const storages = { F32: ["FloatStorage", 4], F16: ["HalfStorage", 2], BF16: ["BFloat16Storage", 2] } as const;

/** A whole file in memory, for files of adapter size. */
export function encodeTorchFile(value: ReadonlyMap<string, SavedValue>): Uint8Array<ArrayBuffer> {
  const tensors: Uint8Array[] = [];
  const pickle = Uint8Array.from([PROTO, 2, ...codeOf(value, tensors), STOP]);
  const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
  return encodeStoredZip([
    ["archive/data.pkl", pickle],
    ["archive/byteorder", ascii("little")],
    ...tensors.map((data, key) => [`archive/data/${key}`, data] as const),
    ["archive/version", ascii("3\n")],
  ]);
}

/** Instructions that leave `value` on the stack; the data of its tensors is put behind `tensors`. */
function codeOf(value: SavedValue, tensors: Uint8Array[]): number[] {
  if (value === null) return [NONE];
  if (typeof value === "string") return textCode(value);
  if (typeof value === "number") return integerCode(value);
  if (isTensor(value)) return tensorCode(value, tensors);
  return [EMPTY_DICT, MARK, ...[...value].flatMap(([key, item]) => [...textCode(key), ...codeOf(item, tensors)]), SETITEMS];
}

function isTensor(value: SavedTensor | ReadonlyMap<string, SavedValue>): value is SavedTensor {
  return !(value instanceof Map);
}

function tensorCode({ dtype, shape, data }: SavedTensor, tensors: Uint8Array[]): number[] {
  const [storage, elementBytes] = storages[dtype];
  const count = elementCount(shape);
  invariant(data.length === count * elementBytes, "the data of a tensor has the size of its shape");
  const key = String(tensors.push(data) - 1);
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const integers = (values: readonly number[]): number[] => tupleCode(...values.map(integerCode));
  const place = tupleCode(textCode("storage"), globalCode("torch", storage), textCode(key), textCode("cpu"), integerCode(count));
  return [
    ...globalCode("torch._utils", "_rebuild_tensor_v2"),
    // No gradient is wanted, and there are no hooks.
    ...tupleCode([...place, BINPERSID], integerCode(0), integers(shape), integers(strides), [NEWFALSE], [...globalCode("collections", "OrderedDict"), EMPTY_TUPLE, REDUCE]),
    REDUCE,
  ];
}

function textCode(text: string): number[] {
  const bytes = new TextEncoder().encode(text);
  return [BINUNICODE, ...u32(bytes.length), ...bytes];
}

function integerCode(value: number): number[] {
  invariant(value === (value | 0), "a number in a PyTorch file is a whole one of 32 bits");
  return [BININT, ...u32(value)];
}

function globalCode(module: string, name: string): number[] {
  return [GLOBAL, ...new TextEncoder().encode(`${module}\n${name}\n`)];
}

function tupleCode(...items: readonly number[][]): number[] {
  return [MARK, ...items.flat(), TUPLE];
}

function u32(value: number): number[] {
  return [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];
}

const PROTO = 0x80;
const STOP = 0x2e;
const NONE = 0x4e;
const MARK = 0x28;
const TUPLE = 0x74;
const EMPTY_TUPLE = 0x29;
const EMPTY_DICT = 0x7d;
const SETITEMS = 0x75;
const BINUNICODE = 0x58;
const BININT = 0x4a;
const NEWFALSE = 0x89;
const GLOBAL = 0x63;
const REDUCE = 0x52;
const BINPERSID = 0x51;
