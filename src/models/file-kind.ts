import type { Shapes } from "./checkpoint-types.ts";

export type FileKind =
  | "lora"
  | "sd1-checkpoint"
  | "sd2-checkpoint"
  | "sdxl-checkpoint"
  | "sdxl-refiner"
  | "sd3-or-flux"
  | "unet"
  | "diffusers-unet"
  | "embedding"
  | "controlnet"
  | "vae"
  | "text-encoder"
  | "hypernetwork"
  | "upscaler"
  | "unknown";

/** What a file is, in words that fit after "this is". */
export const fileKindText: Readonly<Record<FileKind, string>> = {
  lora: "a LoRA (an adapter, not a base model)",
  "sd1-checkpoint": "a Stable Diffusion 1 checkpoint",
  "sd2-checkpoint": "a Stable Diffusion 2 checkpoint",
  "sdxl-checkpoint": "an SDXL checkpoint",
  "sdxl-refiner": "an SDXL refiner",
  "sd3-or-flux": "a Stable Diffusion 3 or FLUX model",
  unet: "a UNet without its text encoder",
  "diffusers-unet": "a UNet in the diffusers layout",
  embedding: "a textual inversion embedding",
  controlnet: "a ControlNet",
  vae: "a VAE",
  "text-encoder": "a text encoder",
  hypernetwork: "a hypernetwork",
  upscaler: "an upscaler",
  unknown: "not a kind of file known here",
};

const loraPattern = /^lora_(unet|te\d?)_|^lycoris_|\.lora_(A|B|down|up)\.|\.lora\.(down|up)\.|_lora\.(down|up)\.|\.hada_w|\.lokr_w/;
const textPattern = /^(cond_stage_model|conditioner\.embedders)\./;
/** An embedding holds a few vectors; anything bigger is something else. */
const maxEmbeddingVectors = 256;

/** Tells what a file is from its tensor names and shapes, most specific test first. */
export function detectFileKind(tensors: Shapes): FileKind {
  const names = [...tensors.keys()];
  const any = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  if (any(loraPattern)) return "lora";
  if (any(/(^|\.)(joint_blocks|double_blocks)\./)) return "sd3-or-flux";
  if (any(/^(control_model|input_hint_block)\./)) return "controlnet";
  if (any(/^(model\.diffusion_model\.)?input_blocks\./)) return detectUNetKind(tensors, any);
  if (any(/^(unet\.)?down_blocks\.\d+\.resnets\./) && any(/^(unet\.)?conv_in\./)) return "diffusers-unet";
  if (any(/^(first_stage_model\.)?encoder\.down(_blocks)?\.0\./)) return "vae";
  if (any(/(^|\.)text_model\.final_layer_norm\./) || any(/^transformer\.resblocks\.0\./)) return "text-encoder";
  if (any(/^\d+\.\d+\.linear\.0\.weight$/) || any(/^linear\.0\.weight$/)) return "hypernetwork";
  if (any(/RRDB|^body\./)) return "upscaler";
  return isEmbedding(tensors) ? "embedding" : "unknown";
}

function detectUNetKind(tensors: Shapes, any: (pattern: RegExp) => boolean): FileKind {
  const unet = (key: string): readonly number[] | undefined =>
    tensors.get(`model.diffusion_model.${key}`) ?? tensors.get(key);
  const pooled = unet("label_emb.0.0.weight")?.[1];
  if (any(/^conditioner\.embedders\.1\.model\.transformer\.resblocks\./)) return "sdxl-checkpoint";
  if (pooled === 2816) return "sdxl-checkpoint";
  if (pooled === 2560) return "sdxl-refiner";
  if (!any(textPattern)) return "unet";
  return any(/^(cond_stage_model|conditioner\.embedders\.0)\.model\./) ? "sd2-checkpoint" : "sd1-checkpoint";
}

function isEmbedding(tensors: Shapes): boolean {
  const names = [...tensors.keys()];
  if (names.some((name) => name === "emb_params" || name.startsWith("string_to_param"))) return true;
  if (tensors.has("clip_l") && tensors.has("clip_g")) return true;
  const [shape] = [...tensors.values()];
  if (tensors.size !== 1 || !shape || shape.length < 1 || shape.length > 2) return false;
  return [768, 1024, 1280].includes(shape.at(-1)!) && (shape.length === 1 || shape[0]! <= maxEmbeddingVectors);
}
