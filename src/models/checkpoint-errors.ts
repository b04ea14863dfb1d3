import { InputError } from "../errors.ts";
import type { Shapes } from "./checkpoint-types.ts";

const listed = 5;

/** The first few names, with the number of the others. */
export function someOf(names: readonly string[]): string {
  const rest = names.length - listed;
  return names.slice(0, listed).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

export function missingTensors(file: string, names: readonly string[]): InputError {
  return new InputError(
    "checkpoint.missingTensors",
    `${file} lacks ${names.length} tensor${names.length === 1 ? "" : "s"} of the model: ${someOf(names)}. ` +
      "The file is incomplete: download or export it again.",
    { file, count: names.length, tensors: names.slice(0, listed) },
  );
}

/** Throws InputError unless every expected tensor is there with its shape, in a number format that can be loaded. */
export function checkShapes(file: string, actual: Shapes, expected: Shapes): void {
  const missing = [...expected.keys()].filter((key) => !actual.has(key));
  if (missing.length > 0) throw missingTensors(file, missing);
  const wrong = [...expected].filter(([key, shape]) => !sameShape(shape, actual.get(key)!));
  if (wrong.length > 0) {
    const texts = wrong.map(([key, shape]) => `${key} is [${actual.get(key)!.join(", ")}], not [${shape.join(", ")}]`);
    throw new InputError(
      "checkpoint.wrongShape",
      `${file} has tensors whose shapes do not fit together: ${someOf(texts)}. ` +
        "This model is built differently from Stable Diffusion 1 and 2, or the file is damaged.",
      { file, count: wrong.length, tensors: wrong.slice(0, listed).map(([key]) => key) },
    );
  }
}

/** Linears and 1×1 convolutions hold the same numbers: trailing ones do not count. */
function sameShape(a: readonly number[], b: readonly number[]): boolean {
  const trim = (shape: readonly number[]): string => shape.join(",").replace(/(,1)+$/, "");
  return trim(a) === trim(b);
}
