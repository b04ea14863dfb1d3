/**
 * Keys of adapter files: kohya's and LyCORIS's (`lora_unet_….lora_down.weight`), PEFT's and diffusers' of several
 * years (`unet.….lora_A.weight`, `….lora.down.weight`, `….processor.to_q_lora.down.weight`), under one set of names.
 */

/** What a tensor is to its module. Names are LyCORIS's; `dora_scale` is PEFT's lora_magnitude_vector, too. */
export type NetworkPart =
  | "lora_down"
  | "lora_up"
  | "lora_mid"
  | "alpha"
  | "dora_scale"
  | "diff"
  | "diff_b"
  | "hada_w1_a"
  | "hada_w1_b"
  | "hada_w2_a"
  | "hada_w2_b"
  | "hada_t1"
  | "hada_t2"
  | "lokr_w1"
  | "lokr_w1_a"
  | "lokr_w1_b"
  | "lokr_w2"
  | "lokr_w2_a"
  | "lokr_w2_b"
  | "lokr_t2";

export interface NetworkKey {
  /** kohya's name where there is one, otherwise the path in the file. */
  readonly module: string;
  /** The key without what says which part it is. */
  readonly nameInFile: string;
  /** undefined: a module of a kind that is not known here (GLoRA, OFT, trained norms, …). */
  readonly part: NetworkPart | undefined;
}

const pairs = (suffix: string): [string, NetworkPart][] => [
  [suffix.replace("$", "down"), "lora_down"],
  [suffix.replace("$", "up"), "lora_up"],
];
const same = [
  ...["alpha", "dora_scale", "diff", "diff_b"],
  ...["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"],
  ...["lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2"],
] as NetworkPart[];
const partBySuffix: ReadonlyMap<string, NetworkPart> = new Map<string, NetworkPart>([
  ...pairs("lora_$.weight"),
  ...pairs("lora.$.weight"),
  ...pairs("lora_linear_layer.$.weight"),
  ["lora_A.weight", "lora_down"],
  ["lora_B.weight", "lora_up"],
  ["lora_A.default.weight", "lora_down"],
  ["lora_B.default.weight", "lora_up"],
  ["lora_mid.weight", "lora_mid"],
  ["lora_magnitude_vector", "dora_scale"],
  ["lora_magnitude_vector.weight", "dora_scale"],
  ["lora_magnitude_vector.default.weight", "dora_scale"],
  ...same.map((part): [string, NetworkPart] => [part, part]),
]);

const kohyaKey = /^((?:lora_(?:unet|te\d?)|lycoris)_[^.]+)\.(.+)$/;
/** diffusers' first format: only attentions, as processors. */
const processorKey = /^(.+)\.processor\.(to_(?:q|k|v|out))_lora\.(down|up)\.weight$/;
const unetPath = /^(?:down_blocks|mid_block|up_blocks|conv_in|conv_out|time_embedding)[._]/;

/** undefined: the key is not named like a part of an adapter. */
export function parseNetworkKey(key: string): NetworkKey | undefined {
  const [, name, suffix] = kohyaKey.exec(key) ?? [];
  if (name !== undefined && suffix !== undefined) {
    return { module: normalizeKohya(name), nameInFile: name, part: partBySuffix.get(suffix) };
  }
  const [, block, projection, side] = processorKey.exec(key) ?? [];
  if (block !== undefined && projection !== undefined) {
    const path = `${block}.${projection === "to_out" ? "to_out.0" : projection}`;
    return { module: fromPath(path), nameInFile: path, part: side === "down" ? "lora_down" : "lora_up" };
  }
  for (let at = key.indexOf("."); at >= 0; at = key.indexOf(".", at + 1)) {
    const part = partBySuffix.get(key.slice(at + 1));
    if (part !== undefined) return { module: fromPath(key.slice(0, at)), nameInFile: key.slice(0, at), part };
  }
  return undefined;
}

function normalizeKohya(name: string): string {
  // SimpleTuner writes LyCORIS modules of the UNet without saying so.
  const path = name.startsWith("lycoris_") ? name.slice("lycoris_".length) : undefined;
  if (path !== undefined) return unetPath.test(path) ? `lora_unet_${path}` : name;
  // Newer transformers have no text_model level; the name in LoRA files keeps it.
  return name.replace(/^lora_te_(?=encoder_)/, "lora_te_text_model_");
}

function fromPath(path: string): string {
  const inner = path.replace(/^base_model\.model\./, "");
  const [, model, rest] = /^(unet|text_encoder|text_encoder_2)\.(.+)$/.exec(inner) ?? [];
  const underscored = (rest ?? inner).replaceAll(".", "_");
  if (model === "unet" || (model === undefined && unetPath.test(inner))) return `lora_unet_${underscored}`;
  if (model === "text_encoder_2") return `lora_te2_${underscored}`;
  if (model === "text_encoder" || inner.startsWith("text_model.")) return normalizeKohya(`lora_te_${underscored}`);
  return path;
}
