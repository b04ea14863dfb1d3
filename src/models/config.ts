import { InputError } from "../errors.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { checkShapes, someOf } from "./checkpoint-errors.ts";
import { normalizeKeys } from "./checkpoint-keys.ts";
import { inferTextEncoder, textEncoderShapes } from "./checkpoint-text.ts";
import type { Checkpoint, HeadRule, Shapes, UNetConfig } from "./checkpoint-types.ts";
import { unetPrefix } from "./checkpoint-types.ts";
import { inferUNet } from "./checkpoint-unet.ts";
import { inferVae, vaeShapes } from "./checkpoint-vae.ts";
import type { FileKind } from "./file-kind.ts";
import { detectFileKind, fileKindText } from "./file-kind.ts";
import { inferPrediction } from "./prediction-type.ts";
import { unetShapes } from "./unet-shapes.ts";

export type * from "./checkpoint-types.ts";

const trainable = ["F16", "BF16", "F32", "F64"];

/** Input channels of UNets that need more than a noisy latent. */
const conditionedBy: Readonly<Record<number, string>> = {
  5: "a depth model",
  7: "an upscaler",
  8: "an image-editing model (pix2pix)",
  9: "an inpainting model",
};

/**
 * Recognizes a Stable Diffusion 1 or 2 single-file checkpoint and works out its configuration from keys and shapes.
 * Metadata can override what shapes cannot tell: `lorasmith.head_dim`, `lorasmith.heads`, `lorasmith.text_heads` and
 * `modelspec.prediction_type`. Reads at most one small tensor. Throws InputError `checkpoint.{lora,notAModel,
 * unsupported,missingTensors,wrongShape,channels,heads,textEncoder,dtype,unknownTensors,override}`.
 */
export async function openCheckpoint(file: TensorFile): Promise<Checkpoint> {
  const name = file.source.name;
  const allShapes: Shapes = new Map([...file.tensors.values()].map((entry) => [entry.name, entry.shape]));
  rejectOtherKinds(name, detectFileKind(allShapes));

  const keys = normalizeKeys(file.tensors.keys());
  const shapes: Shapes = new Map([...keys].map(([key, fileKey]) => [key, allShapes.get(fileKey)!]));
  rejectOtherUNets(name, shapes);
  const unet = inferUNet(name, shapes, headRule(file));
  const textEncoder = inferTextEncoder(name, shapes, positive(file, "lorasmith.text_heads"));
  if (!textEncoder) throw unsupported(name, "has no text encoder", "Pick the full checkpoint.");
  const vae = inferVae(name, shapes);
  checkTensors(file, shapes, keys, unet, new Map([
    ...unetShapes(unet),
    ...textEncoderShapes(textEncoder),
    ...(vae ? vaeShapes(vae) : []),
  ]));
  if (textEncoder.width !== unet.contextDim) {
    throw unsupported(
      name,
      `has a text encoder of width ${textEncoder.width} and a UNet that wants ${unet.contextDim}`,
      "The parts come from different models.",
    );
  }
  const family = textEncoder.layout === "openclip" ? "sd2" : "sd1";
  const prediction = await inferPrediction(file, family, unet, keys);
  return { file, family, ...prediction, unet, textEncoder, vae, keys };
}

function unsupported(file: string, what: string, advice: string): InputError {
  return new InputError(
    "checkpoint.unsupported",
    `${file} ${what}. Stable Diffusion 1.x and 2.x checkpoints can be trained. ${advice}`.trim(),
    { file, what },
  );
}

function rejectOtherKinds(file: string, kind: FileKind): void {
  if (kind === "sd1-checkpoint" || kind === "sd2-checkpoint") return;
  const what = fileKindText[kind];
  if (kind === "lora") {
    throw new InputError(
      "checkpoint.lora",
      `${file} is ${what}. Pick the checkpoint that the LoRA shall be trained on instead.`,
      { file },
    );
  }
  if (["sdxl-checkpoint", "sdxl-refiner", "sd3-or-flux", "unet", "diffusers-unet"].includes(kind)) {
    throw unsupported(file, `is ${what}`, "");
  }
  throw new InputError(
    "checkpoint.notAModel",
    `${file} is not a diffusion model: this is ${what}. ` +
      "Pick a Stable Diffusion 1.x or 2.x checkpoint (a .safetensors file of 2 to 8 GB).",
    { file, kind },
  );
}

function rejectOtherUNets(file: string, shapes: Shapes): void {
  const convIn = shapes.get(`${unetPrefix}.input_blocks.0.0.weight`)?.[1];
  if (convIn !== undefined && convIn !== 4) {
    const what = conditionedBy[convIn] ?? "a model of another kind";
    throw unsupported(file, `is ${what} (its UNet takes ${convIn} channels, not 4)`, "");
  }
  const pooled = shapes.get(`${unetPrefix}.label_emb.0.0.weight`)?.[1];
  if (pooled !== undefined) throw unsupported(file, `is conditioned on a vector of ${pooled} values (unCLIP?)`, "");
}

function checkTensors(
  file: TensorFile,
  shapes: Shapes,
  keys: ReadonlyMap<string, string>,
  unet: UNetConfig,
  expected: Shapes,
): void {
  const name = file.source.name;
  checkShapes(name, shapes, expected);
  // More tensors in the UNet mean more computation than is known here: training would be wrong without a word.
  const unknown = [...shapes.keys()].filter((key) => key.startsWith(`${unet.prefix}.`) && !expected.has(key));
  if (unknown.length > 0) {
    throw new InputError(
      "checkpoint.unknownTensors",
      `${name} has tensors in its UNet that Stable Diffusion 1 and 2 do not have: ${someOf(unknown)}. ` +
        "It is another kind of model and cannot be trained here.",
      { file: name, count: unknown.length, tensors: unknown.slice(0, 5) },
    );
  }
  for (const key of expected.keys()) {
    const { dtype } = file.entry(keys.get(key)!);
    if (!trainable.includes(dtype)) {
      throw new InputError(
        "checkpoint.dtype",
        `${name} stores its weights as ${dtype} (${key}). Use a version of the model in fp16, bf16 or fp32.`,
        { file: name, tensor: key, dtype },
      );
    }
  }
}

function headRule(file: TensorFile): HeadRule | undefined {
  const headDim = positive(file, "lorasmith.head_dim");
  const heads = positive(file, "lorasmith.heads");
  return headDim !== undefined ? { headDim } : heads !== undefined ? { heads } : undefined;
}

function positive(file: TensorFile, key: string): number | undefined {
  const text = file.metadata.get(key);
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InputError(
    "checkpoint.override",
    `${file.source.name}: the metadata ${key} must be a positive whole number, not ${JSON.stringify(text)}.`,
    { file: file.source.name, key },
  );
}
