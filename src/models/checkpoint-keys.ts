import type { Shapes } from "./checkpoint-types.ts";
import { hfTextPrefix, openClipTextPrefix, unetPrefix, vaePrefix } from "./checkpoint-types.ts";

/** Schedule buffers of the original trainer, EMA copies, loss networks and parts that nothing here uses. */
const ignored = [
  /^model_ema\./,
  /^(alphas_cumprod|sqrt_|log_one_minus_|posterior_)/,
  /^(betas|lvlb_weights|logvar|v_pred|ztsnr|scaled_fp8|global_step)$/,
  /^first_stage_model\.(loss\.|model_ema\.)/,
  /\.position_ids$/,
  /^(cond_stage_model|conditioner\.embedders\.0)\.model\.(logit_scale|text_projection)$/,
];

/** Variants of a prefix in files of other tools. A key keeps its name when no rule applies. */
const renames: readonly (readonly [RegExp, string])[] = [
  [/^(input_blocks|middle_block|output_blocks|time_embed|label_emb|out)\./, `${unetPrefix}.$1.`],
  [/^(quant_conv|post_quant_conv)\./, `${vaePrefix}.$1.`],
  [/^cond_stage_model\.transformer\.(embeddings|encoder|final_layer_norm)\./, `${hfTextPrefix}.$1.`],
  [/^conditioner\.embedders\.0\.transformer\.text_model\./, `${hfTextPrefix}.`],
  [/^conditioner\.embedders\.0\.model\./, `${openClipTextPrefix}.`],
];

/**
 * Maps the full single-file key of every model tensor to the key under which a file has it, whatever the variant.
 * Where a file has a tensor under both names, the standard one counts.
 */
export function normalizeKeys(names: Iterable<string>): Map<string, string> {
  const keys = new Map<string, string>();
  for (const name of names) {
    if (ignored.some((pattern) => pattern.test(name))) continue;
    const rule = renames.find(([pattern]) => pattern.test(name));
    const normalized = rule ? name.replace(rule[0], rule[1]) : name;
    if (normalized === name || !keys.has(normalized)) keys.set(normalized, name);
  }
  return keys;
}

/** One more than the highest number that follows `group.` in a key. */
export function countNumbered(shapes: Shapes, group: string): number {
  let count = 0;
  for (const key of shapes.keys()) {
    const number = key.startsWith(`${group}.`) ? Number.parseInt(key.slice(group.length + 1), 10) : Number.NaN;
    if (number >= count) count = number + 1;
  }
  return count;
}
