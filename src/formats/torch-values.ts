/** What a pickle of PyTorch can hold. Nothing of Python lives here: objects of other kinds are only names. */
import { InputError } from "../errors.ts";
import type { ErrorData } from "../errors.ts";
import type { Dtype } from "./dtypes.ts";
import { dtypeBits } from "./dtypes.ts";

/** Lists and tuples are both arrays. */
export type PyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyValue[]
  | PyDict
  | PyGlobal
  | ForeignObject
  | TorchStorage
  | TorchTensor;

export type PyDict = Map<PyValue, PyValue>;

/** A class or function that the pickle names; never looked up, never called. */
export class PyGlobal {
  /** e.g. `collections.OrderedDict` */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }
}

/** Stands where Python would have made an object by calling something that is not known here. */
export class ForeignObject {
  /** What would have been called. */
  readonly path: string;
  /** What Python would have set on the object. */
  state: PyValue = null;

  constructor(path: string) {
    this.path = path;
  }
}

/** One block of a file's data, which several tensors may share. */
export class TorchStorage {
  readonly key: string;
  /** Undefined for a block of bytes whose tensors say their own type. */
  readonly dtype: Dtype | undefined;
  /** Bytes where the type is undefined. */
  readonly elements: number;

  constructor(key: string, dtype: Dtype | undefined, elements: number) {
    this.key = key;
    this.dtype = dtype;
    this.elements = elements;
  }

  get byteLength(): number {
    return this.dtype === undefined ? this.elements : (this.elements * dtypeBits[this.dtype]) / 8;
  }
}

/** A view of a storage as the pickle describes it: `offset` and `strides` in elements, not yet checked against it. */
export class TorchTensor {
  readonly storage: TorchStorage;
  readonly dtype: Dtype;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(storage: TorchStorage, dtype: Dtype, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

const advice: Readonly<Record<TorchErrorCode, string>> = {
  truncated: "The file is incomplete: download it again.",
  corrupt: "The file is damaged: download or export it again.",
  unsafe: "Nothing was run. Use a .safetensors version of it, from a source that you trust.",
  unsupported: "Save it again with a current PyTorch, or use a .safetensors version of it.",
  limit: "It is damaged or made to do harm: use another copy of it.",
  noTensors: "Choose another file.",
};

export type TorchErrorCode = "truncated" | "corrupt" | "unsafe" | "unsupported" | "limit" | "noTensors";

/** An InputError `torch.<code>`; `what` is said of the file, `data` is for translated texts. */
export function torchError(file: string, code: TorchErrorCode, what: string, data: ErrorData = {}): InputError {
  return new InputError(`torch.${code}`, `${file} ${what}. ${advice[code]}`, { file, what, ...data });
}

/** The error for something that would have had to be run, or a kind of tensor that is not known, where one is needed. */
export function foreignError(file: string, path: string, where: string): InputError {
  return path.startsWith("torch.")
    ? torchError(file, "unsupported", `stores ${where} in a way that is not known here (${path})`, { global: path })
    : torchError(file, "unsafe", `wants to run ${path} to make ${where}`, { global: path });
}
