/** Finds the tensors in what a PyTorch file holds, and gives them the names that the same weights have elsewhere. */
import type { PyDict, PyValue } from "./torch-values.ts";
import { ForeignObject, foreignError, torchError, TorchTensor } from "./torch-values.ts";

/** Under these keys tools keep the weights beside other things, the most usual first. */
const wrappers = ["state_dict", "model", "module", "params_ema", "params"];
const maxDepth = 64;
const maxContainers = 200_000;
const maxNameLength = 1000;
const maxNoteLength = 10_000;

/**
 * Tensors by name: of the innermost `state_dict` (or another usual wrapper) if there is one, else of the whole value.
 * Names of nested containers are joined with dots.
 * @throws InputError `torch.unsafe` or `torch.unsupported` where something foreign stands for a tensor,
 * `torch.noTensors`, `torch.corrupt` for a name that occurs twice, `torch.limit`
 */
export function namedTensors(file: string, root: PyValue): Map<string, TorchTensor> {
  if (root instanceof ForeignObject) throw foreignError(file, root.path, "all that it holds");
  const collector = new Collector(file);
  collector.collect(unwrap(root), "");
  const [first] = collector.foreign;
  if (collector.tensors.size > 0) return collector.tensors;
  if (first) throw foreignError(file, first.path, "all that it holds");
  throw torchError(file, "noTensors", "holds no tensors");
}

/** What a file says of itself beside its weights: texts and numbers at its top, e.g. `epoch` or `sd_checkpoint_name`. */
export function notesOf(root: PyValue): Map<string, string> {
  const notes = new Map<string, string>();
  for (const [key, value] of root instanceof Map ? root : []) {
    const isNote = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    if (typeof key !== "string" || key.length > maxNameLength || !isNote) continue;
    notes.set(key, String(value).slice(0, maxNoteLength));
  }
  return notes;
}

/** Follows wrappers as long as no tensor lies beside them. */
function unwrap(root: PyValue): PyValue {
  let value = root;
  for (let depth = 0; depth < maxDepth && value instanceof Map; depth++) {
    const dict: PyDict = value;
    if ([...dict.values()].some((item) => item instanceof TorchTensor)) break;
    const inner = wrappers.map((key) => dict.get(key)).find((item) => item instanceof Map);
    if (inner === undefined) break;
    value = inner;
  }
  return value;
}

class Collector {
  readonly tensors = new Map<string, TorchTensor>();
  readonly foreign: ForeignObject[] = [];
  readonly #file: string;
  /** Containers that the one at hand lies in: a file can put one into itself. */
  readonly #around = new Set<PyValue>();
  #seen = 0;

  constructor(file: string) {
    this.#file = file;
  }

  collect(value: PyValue, name: string): void {
    if (value instanceof TorchTensor) {
      if (this.tensors.has(name)) throw torchError(this.#file, "corrupt", `has two tensors ${name}`, { tensor: name });
      this.tensors.set(name, value);
      return;
    }
    const items = itemsOf(value);
    if (items === undefined || this.#around.has(value)) return;
    this.#seen++;
    if (this.#around.size === maxDepth || this.#seen + this.tensors.size > maxContainers) {
      throw torchError(this.#file, "limit", "nests its tensors deeper than a model can");
    }
    this.#around.add(value);
    for (const [key, item] of items) this.#collectItem(key, item, name);
    this.#around.delete(value);
  }

  #collectItem(key: PyValue, item: PyValue, outer: string): void {
    if (!isHolder(item) || (typeof key !== "string" && typeof key !== "number")) return;
    const name = outer === "" ? String(key) : `${outer}.${key}`;
    if (name.length > maxNameLength) throw torchError(this.#file, "limit", "has a name of thousands of characters");
    if (item instanceof ForeignObject && itemsOf(item) === undefined) {
      // Weights have dotted names; without a dot it is most likely a setting of the tool that wrote the file.
      if (typeof key === "string" && key.includes(".")) throw foreignError(this.#file, item.path, name);
      this.foreign.push(item);
      return;
    }
    this.collect(item, name);
  }
}

function isHolder(value: PyValue): value is PyDict | PyValue[] | ForeignObject | TorchTensor {
  return value instanceof Map || Array.isArray(value) || value instanceof ForeignObject || value instanceof TorchTensor;
}

function itemsOf(value: PyValue): Iterable<[PyValue, PyValue]> | undefined {
  if (value instanceof Map) return value;
  if (Array.isArray(value)) return value.entries();
  if (!(value instanceof ForeignObject) || value.path !== "torch.nn.modules.container.ParameterDict") return undefined;
  const parameters = value.state instanceof Map ? value.state.get("_parameters") : undefined;
  return parameters instanceof Map ? parameters : undefined;
}
