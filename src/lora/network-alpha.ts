/** How strongly a module acts by itself: alpha / rank, from the tensors or from PEFT's metadata. */
import { InputError } from "../errors.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { elementCount } from "../formats/dtypes.ts";
import type { ModuleTensors } from "./network-shapes.ts";

/**
 * The scale of modules. Without an alpha it is 1, as everywhere. LoKr ignores alpha where nothing is decomposed.
 * Throws InputError `lora.wrongShape` if an alpha is not one number.
 */
export function alphaReader(file: TensorFile): (module: ModuleTensors, rank: number) => Promise<number> {
  const metadata = peftMetadata(file);
  return async ({ parts, nameInFile }, rank) => {
    if (rank === 0) return 1;
    const alpha = parts.get("alpha");
    if (alpha === undefined) return metadata(nameInFile, rank);
    if (elementCount(alpha.shape) !== 1) {
      throw new InputError("lora.wrongShape", `${file.source.name} has an alpha that is not one number: ${alpha.name}.`, {
        file: file.source.name,
        key: nameInFile,
      });
    }
    // sd-scripts stores a whole-number alpha as I64 when no save precision is chosen.
    const values = /^[IU]\d/.test(alpha.dtype) ? await file.readInts(alpha.name) : await file.readF32(alpha.name);
    return values[0]! / rank;
  };
}

/** diffusers keeps PEFT's configuration of each model as JSON under one metadata key, names prefixed by the model. */
function peftMetadata(file: TensorFile): (path: string, rank: number) => number {
  const text = file.metadata.get("lora_adapter_metadata");
  const settings = text === undefined ? undefined : parseObject(text);
  return (path, rank) => {
    const [, model, rest] = /^(?:base_model\.model\.)?(unet|text_encoder)\.(.+)$/.exec(path) ?? [];
    if (settings === undefined || model === undefined || rest === undefined) return 1;
    const alphas = settings[`${model}.alpha_pattern`];
    const own = isObject(alphas) ? Object.entries(alphas).find(([name]) => rest === name || rest.endsWith(`.${name}`)) : undefined;
    const alpha = own?.[1] ?? settings[`${model}.lora_alpha`];
    if (typeof alpha !== "number") return 1;
    return settings[`${model}.use_rslora`] === true ? alpha / Math.sqrt(rank) : alpha / rank;
  };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
