/** VAE files that stand alone: LDM keys, bare or with a checkpoint's prefix, or the names that diffusers gives them. */
import { InputError } from "../errors.ts";
import { checkShapes } from "./checkpoint-errors.ts";
import { vaePrefix, type Shapes, type VaeSource } from "./checkpoint-types.ts";
import { inferVae, vaeShapes } from "./checkpoint-vae.ts";
import { countNumbered } from "./checkpoint-keys.ts";
import type { TensorFile } from "../formats/tensor-file.ts";

/**
 * Recognizes a VAE of Stable Diffusion 1 or 2. Files with only its decoder will do.
 * @throws InputError `vae.notAVae`, `vae.unsupported`, `checkpoint.missingTensors`, `checkpoint.wrongShape`
 */
export function openVae(file: TensorFile): VaeSource {
  const { name } = file.source;
  const own = [...file.tensors.keys()].map((key) => [key.replace(/^(first_stage_model|vae)\./, ""), key] as const);
  const levels = 1 + Math.max(-1, ...own.map(([key]) => Number(/^decoder\.up_blocks\.(\d+)\./.exec(key)?.[1] ?? -1)));
  const keys = new Map<string, string>();
  for (const [key, fileKey] of own) {
    const ldm = levels > 0 ? fromDiffusers(key, levels) : key;
    if (/^(encoder|decoder|quant_conv|post_quant_conv)\./.test(ldm)) keys.set(`${vaePrefix}.${ldm}`, fileKey);
  }
  const shapes: Shapes = new Map([...keys].map(([key, fileKey]) => [key, file.entry(fileKey).shape]));
  if (countNumbered(shapes, `${vaePrefix}.decoder.up`) === 0) {
    throw new InputError("vae.notAVae", `${name} is no VAE with a decoder; choose the VAE of a Stable Diffusion model.`, { file: name });
  }
  const vae = inferVae(name, shapes);
  if (vae === undefined || vae.zChannels !== 4 || vae.embedDim !== 4 || vae.imageChannels !== 3) {
    const message = `${name} is a VAE of another kind of model (${vae?.zChannels ?? 0} latent channels, not 4).`;
    throw new InputError("vae.unsupported", message, { file: name, channels: vae?.zChannels ?? 0 });
  }
  checkShapes(name, shapes, vaeShapes(vae));
  return { file, keys, vae };
}

const renames: readonly (readonly [RegExp, string])[] = [
  [/\.mid_block\.resnets\.0\./, ".mid.block_1."],
  [/\.mid_block\.resnets\.1\./, ".mid.block_2."],
  [/\.mid_block\.attentions\.0\./, ".mid.attn_1."],
  [/\.conv_norm_out\./, ".norm_out."],
  [/\.conv_shortcut\./, ".nin_shortcut."],
  [/\.down_blocks\.(\d+)\.resnets\.(\d+)\./, ".down.$1.block.$2."],
  [/\.down_blocks\.(\d+)\.downsamplers\.0\./, ".down.$1.downsample."],
  [/\.attn_1\.group_norm\./, ".attn_1.norm."],
  [/\.attn_1\.(?:to_q|query)\./, ".attn_1.q."],
  [/\.attn_1\.(?:to_k|key)\./, ".attn_1.k."],
  [/\.attn_1\.(?:to_v|value)\./, ".attn_1.v."],
  [/\.attn_1\.(?:to_out\.0|proj_attn)\./, ".attn_1.proj_out."],
];

/** A key of diffusers in LDM's words; its decoder counts the levels from the other end. */
function fromDiffusers(key: string, levels: number): string {
  const up = key.replace(/\.up_blocks\.(\d+)\.(resnets\.(\d+)|upsamplers\.0)\./, (_, level: string, __, block?: string) =>
    `.up.${levels - 1 - Number(level)}.${block === undefined ? "upsample" : `block.${block}`}.`,
  );
  return renames.reduce((name, [pattern, replacement]) => name.replace(pattern, replacement), up);
}
