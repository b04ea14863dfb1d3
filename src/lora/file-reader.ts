import { InputError } from "../errors.ts";
import type { TensorEntry, TensorFile } from "../formats/tensor-file.ts";
import type { LoraModule } from "./file.ts";

/** A module as the header describes it. */
export interface LoraEntry {
  readonly name: string;
  readonly rank: number;
  readonly in: number;
  readonly out: number;
  readonly fileRank: 2 | 4;
  readonly down: TensorEntry;
  readonly up: TensorEntry;
  /** Without one, alpha counts as the rank. */
  readonly alpha: TensorEntry | undefined;
}

const keyPattern = /^(lora_(?:unet|te\d?)_[^.]+)\.(.+)$/;
const parts: Readonly<Record<string, "down" | "up" | "alpha">> = {
  "lora_down.weight": "down",
  "lora_up.weight": "up",
  alpha: "alpha",
};

/**
 * Lists the modules of a standard LoRA with kohya's names, from the header alone. Throws InputError `lora.notLora`,
 * `lora.unsupported` (another kind of adapter, or convolutions), `lora.incomplete` or `lora.wrongShape`.
 */
export function listLoraModules(file: TensorFile): LoraEntry[] {
  const found = new Map<string, { down?: TensorEntry; up?: TensorEntry; alpha?: TensorEntry }>();
  for (const [key, entry] of file.tensors) {
    const [, name, suffix] = keyPattern.exec(key) ?? [];
    if (name === undefined || suffix === undefined) {
      throw fail(file, "notLora", `has the tensor ${key}, which is not named like a LoRA's (kohya format)`, key);
    }
    const part = Object.hasOwn(parts, suffix) ? parts[suffix] : undefined;
    if (part === undefined) {
      throw fail(file, "unsupported", `holds another kind of adapter than a standard LoRA (${key})`, key);
    }
    const module = found.get(name) ?? {};
    module[part] = entry;
    found.set(name, module);
  }
  if (found.size === 0) throw fail(file, "notLora", "has no LoRA tensors", "");
  return [...found].map(([name, { down, up, alpha }]) => {
    if (!down || !up) {
      const lost = `${name}.${down ? "lora_up" : "lora_down"}.weight`;
      throw fail(file, "incomplete", `lacks ${lost}`, lost);
    }
    return toEntry(file, name, down, up, alpha);
  });
}

function toEntry(
  file: TensorFile,
  name: string,
  down: TensorEntry,
  up: TensorEntry,
  alpha: TensorEntry | undefined,
): LoraEntry {
  const [rank = 0, from = 0, ...kernel] = down.shape;
  const [out = 0, upRank = 0, ...upKernel] = up.shape;
  const dimensions = down.shape.length;
  if ([...kernel, ...upKernel].some((size) => size !== 1)) {
    throw fail(file, "unsupported", `adapts 3×3 convolutions (${name})`, name);
  }
  if (
    (dimensions !== 2 && dimensions !== 4) ||
    up.shape.length !== dimensions ||
    rank !== upRank ||
    rank * from * out === 0 ||
    (alpha !== undefined && alpha.shape.reduce((a, b) => a * b, 1) !== 1)
  ) {
    const shapes = `down [${down.shape.join(", ")}], up [${up.shape.join(", ")}]`;
    throw fail(file, "wrongShape", `has tensors of ${name} whose shapes do not fit together: ${shapes}`, name);
  }
  return { name, rank, in: from, out, fileRank: dimensions, down, up, alpha };
}

/** Reads all modules of a standard LoRA as f32. Throws as `listLoraModules` does. */
export async function readLoraFile(file: TensorFile): Promise<LoraModule[]> {
  const modules: LoraModule[] = [];
  for (const { name, rank, in: from, out, fileRank, ...entries } of listLoraModules(file)) {
    const down = await file.readF32(entries.down.name);
    const up = await file.readF32(entries.up.name);
    const alpha = entries.alpha ? await readScalar(file, entries.alpha) : rank;
    modules.push({ name, down, up, alpha, rank, in: from, out, fileRank });
  }
  return modules;
}

/** sd-scripts stores a whole-number alpha as I64 when no save precision is chosen. */
async function readScalar(file: TensorFile, { name, dtype }: TensorEntry): Promise<number> {
  const values = /^[IU]\d/.test(dtype) ? await file.readInts(name) : await file.readF32(name);
  return values[0]!;
}

function fail(file: TensorFile, code: string, what: string, key: string): InputError {
  const name = file.source.name;
  return new InputError(`lora.${code}`, `${name} ${what}. A standard LoRA of sd-scripts (kohya) is needed here.`, {
    file: name,
    key,
  });
}
