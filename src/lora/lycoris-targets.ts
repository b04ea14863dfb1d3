/** The modules of LyCORIS' presets, in its creation order (text encoder, then UNet). */
import { outerModules, textEncoderModules, toTarget, unetModules, type LoraTarget, type ModuleName } from "../models/names.ts";
import type { LycorisPreset } from "../config/table/lycoris.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";

type Place = "attention" | "transformer" | "residual" | "resampler" | "outer";

interface Preset {
  /** Convolutions with a kernel of more than 1×1 too. */
  readonly convolutions: boolean;
  readonly unet: readonly Place[];
  readonly textEncoder: "all" | "attention" | "none";
}

const everywhere: readonly Place[] = ["attention", "transformer", "residual", "resampler", "outer"];
const transformers: readonly Place[] = ["attention", "transformer"];

const presets: Readonly<Record<LycorisPreset, Preset>> = {
  full: { convolutions: true, unet: everywhere, textEncoder: "all" },
  "full-lin": { convolutions: false, unet: everywhere, textEncoder: "all" },
  "attn-mlp": { convolutions: false, unet: transformers, textEncoder: "all" },
  "attn-only": { convolutions: false, unet: ["attention"], textEncoder: "attention" },
  "unet-only": { convolutions: true, unet: everywhere, textEncoder: "none" },
  "unet-transformer-only": { convolutions: false, unet: transformers, textEncoder: "none" },
  "unet-convblock-only": { convolutions: true, unet: ["residual", "resampler", "outer"], textEncoder: "none" },
};

/** @param trainsConvolutions conv_dim is not 0 */
export function lycorisTargets(
  model: Pick<Checkpoint, "unet" | "textEncoder">, preset: LycorisPreset, trainsConvolutions: boolean,
): LoraTarget[] {
  const { convolutions, unet, textEncoder } = presets[preset];
  const inText = ({ diffusers }: ModuleName): boolean =>
    textEncoder === "all" || (textEncoder === "attention" && diffusers.includes(".self_attn."));
  const inUNet = (module: ModuleName): boolean =>
    unet.includes(placeOf(module)) &&
    (module.kind !== "conv3x3" || (convolutions && trainsConvolutions)) &&
    !(preset === "unet-convblock-only" && module.diffusers.startsWith("time_embedding."));
  const [convIn, timeFirst, timeSecond, convOut] = outerModules(model.unet);
  const inOrder = [convIn, timeFirst, timeSecond, ...unetModules(model.unet), convOut].filter((module) => module !== undefined);
  return [...textEncoderModules(model.textEncoder).filter(inText), ...inOrder.filter(inUNet)].map(toTarget);
}

function placeOf({ diffusers }: ModuleName): Place {
  if (/\.attn[12]\./.test(diffusers)) return "attention";
  if (diffusers.includes(".attentions.")) return "transformer";
  if (diffusers.includes(".resnets.")) return "residual";
  return diffusers.includes("samplers.") ? "resampler" : "outer";
}
