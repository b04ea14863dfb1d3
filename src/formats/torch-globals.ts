/** The classes and functions of Python that files of weights need, and what calling them gives. */
import type { Dtype } from "./dtypes.ts";
import type { PyDict, PyValue } from "./torch-values.ts";
import { ForeignObject, foreignError, PyGlobal, torchError, TorchStorage, TorchTensor } from "./torch-values.ts";

const storageTypes: Readonly<Record<string, Dtype>> = {
  "torch.FloatStorage": "F32",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.DoubleStorage": "F64",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL",
  "torch.ComplexFloatStorage": "C64",
};
const untypedStorages = ["torch.storage.UntypedStorage", "torch.UntypedStorage"];

const dtypes: Readonly<Record<string, Dtype>> = {
  "torch.float32": "F32",
  "torch.float16": "F16",
  "torch.bfloat16": "BF16",
  "torch.float64": "F64",
  "torch.int64": "I64",
  "torch.int32": "I32",
  "torch.int16": "I16",
  "torch.int8": "I8",
  "torch.uint64": "U64",
  "torch.uint32": "U32",
  "torch.uint16": "U16",
  "torch.uint8": "U8",
  "torch.bool": "BOOL",
  "torch.complex64": "C64",
  "torch.float8_e4m3fn": "F8_E4M3",
  "torch.float8_e5m2": "F8_E5M2",
  "torch.float8_e4m3fnuz": "F8_E4M3FNUZ",
  "torch.float8_e5m2fnuz": "F8_E5M2FNUZ",
  "torch.float8_e8m0fnu": "F8_E8M0",
};

/** PyTorch's own limit. */
const maxRank = 64;
/** Calls that are arguments of calls. */
const maxNesting = 8;

/**
 * What `callee(*args)` gives. Only containers and tensors are made; anything else becomes a ForeignObject.
 * @throws InputError `torch.corrupt`, `torch.unsafe`, `torch.unsupported`
 */
export function callGlobal(file: string, callee: PyGlobal, args: readonly PyValue[], nesting = 0): PyValue {
  const [first = null, second = null, third = null] = args;
  switch (callee.path) {
    case "collections.OrderedDict":
    case "collections.Counter":
    case "builtins.dict":
      return dictOf(first);
    case "collections.defaultdict":
      return dictOf(second);
    case "torch.Size":
      return Array.isArray(first) ? first : new ForeignObject(callee.path);
    case "torch._utils._rebuild_tensor":
    case "torch._utils._rebuild_tensor_v2":
      return rebuildTensor(file, args);
    case "torch._utils._rebuild_tensor_v3":
      return rebuildTensor(file, args, args[6]);
    case "torch._utils._rebuild_parameter":
    case "torch._utils._rebuild_parameter_with_state":
      return first;
    case "torch._tensor._rebuild_from_type_v2":
      // (function, type, its arguments, state): a subclass of a tensor, of which the tensor counts.
      if (!(first instanceof PyGlobal) || !Array.isArray(third) || nesting === maxNesting) {
        throw torchError(file, "corrupt", "describes a tensor wrongly");
      }
      return callGlobal(file, first, third, nesting + 1);
    default:
      return new ForeignObject(callee.path);
  }
}

/** A dictionary from a list of pairs; another dictionary stands for its copy, which a file could ask for endlessly. */
function dictOf(from: PyValue): PyDict {
  if (from instanceof Map) return from;
  const pairs = Array.isArray(from) ? from : [];
  return new Map(pairs.filter(Array.isArray).map(([key = null, value = null]) => [key, value]));
}

/** `(storage, offset, size, stride, …)`, and the type where the storage does not say it. */
function rebuildTensor(file: string, args: readonly PyValue[], type?: PyValue): TorchTensor {
  const [storage = null, offset = null, size = null, stride = null] = args;
  if (storage instanceof ForeignObject) throw foreignError(file, storage.path, "a tensor");
  const shape = naturals(size);
  const strides = naturals(stride);
  const isWhole = storage instanceof TorchStorage && isNatural(offset) && shape?.length === strides?.length;
  if (!isWhole || !shape || !strides) {
    throw torchError(file, "corrupt", "describes a tensor wrongly");
  }
  const dtype = type instanceof PyGlobal ? dtypes[type.path] : storage.dtype;
  if (dtype === undefined) {
    const path = type instanceof PyGlobal ? type.path : "torch.storage.UntypedStorage";
    throw foreignError(file, path, "a tensor");
  }
  return new TorchTensor(storage, dtype, offset, shape, strides);
}

/**
 * The storage that a persistent id stands for: `("storage", class, key, device, elements)`, in old files followed by
 * the part of another storage that it is, or None.
 * @throws InputError `torch.corrupt`, `torch.unsafe`, `torch.unsupported`
 */
export function storageOf(file: string, id: PyValue): TorchStorage {
  const [kind, type, key, , elements, view = null] = Array.isArray(id) ? id : [];
  const isName = typeof key === "string" && key.length <= 100;
  if (kind !== "storage" || !(type instanceof PyGlobal) || !isName || !isNatural(elements)) {
    throw torchError(file, "corrupt", "refers to its data wrongly");
  }
  if (view !== null) throw torchError(file, "unsupported", "was written by a very old PyTorch");
  if (untypedStorages.includes(type.path)) return new TorchStorage(key, undefined, elements);
  const dtype = storageTypes[type.path];
  if (dtype === undefined) throw foreignError(file, type.path, "a tensor");
  return new TorchStorage(key, dtype, elements);
}

function naturals(value: PyValue): number[] | undefined {
  return Array.isArray(value) && value.length <= maxRank && value.every(isNatural) ? value : undefined;
}

function isNatural(value: PyValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
