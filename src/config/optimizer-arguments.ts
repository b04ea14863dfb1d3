/** What each optimizer takes as `optimizer_args`, with the defaults of the classes that sd-scripts makes. */
import { finite, flag, growth, ignored, number, only, orNone, pair, positive, triple, whole } from "./python-arguments.ts";
import type { Argument } from "./python-arguments.ts";

const betas = (first: number, second: number): Argument<readonly [number, number]> =>
  pair([first, second], number(0, 0, 1), "must be two numbers from 0 up to but not including 1");

/** How torch runs its loops, and a variant of every rule that is not made here. */
const torch = { maximize: only(false), foreach: ignored, capturable: ignored, differentiable: ignored, fused: ignored };
const adam = { betas: betas(0.9, 0.999), eps: number(1e-8), amsgrad: only(false), ...torch };
/** What bitsandbytes takes beside a rule's own constants; all tensors smaller than min_8bit_size have 32-bit state. */
const bitsandbytes = {
  min_8bit_size: whole(4096, 0), percentile_clipping: only(100), block_wise: only(true), is_paged: ignored, args: ignored,
};
/** What the optimizers of D-Adaptation have in common. */
const adaptive = { weight_decay: number(0), d0: positive(1e-6), log_every: ignored, fsdp_in_use: ignored };

const adan = {
  betas: triple([0.98, 0.92, 0.99], number(0, 0, 1), "must be three numbers from 0 up to but not including 1"), eps: positive(1e-8),
  weight_decay: number(0.02), no_prox: flag(false), d0: positive(1e-6), log_every: ignored, growth_rate: growth,
};

/** Arguments by `optimizer_type`. */
export const OPTIMIZER_ARGUMENTS = {
  AdamW: { ...adam, weight_decay: number(0.01) },
  Adam: { ...adam, weight_decay: number(0), decoupled_weight_decay: flag(false) },
  Lion: { betas: betas(0.9, 0.99), weight_decay: number(0), use_triton: ignored, decoupled_weight_decay: flag(false) },
  SGDNesterov: { momentum: positive(0.9), weight_decay: number(0), dampening: only(0), ...torch },
  DAdaptation: { ...adaptive, betas: betas(0.9, 0.999), eps: positive(1e-8), decouple: flag(false), growth_rate: growth },
  DAdaptAdam: {
    ...adaptive, betas: betas(0.9, 0.999), eps: positive(1e-8), decouple: flag(false), use_bias_correction: flag(false),
    growth_rate: growth,
  },
  DAdaptAdaGrad: { momentum: number(0, 0, 1), eps: positive(1e-6), weight_decay: number(0), d0: positive(1e-6), log_every: ignored, growth_rate: growth },
  DAdaptSGD: { ...adaptive, momentum: number(0, 0, 1), growth_rate: growth },
  DAdaptAdan: adan,
  DAdaptAdanIP: adan,
  DAdaptLion: { ...adaptive, betas: betas(0.9, 0.99) },
  Prodigy: {
    betas: betas(0.9, 0.999), beta3: orNone(number(0, 0, 1)), eps: positive(1e-8), weight_decay: number(0), decouple: flag(true),
    use_bias_correction: flag(false), safeguard_warmup: flag(false), d0: positive(1e-6), d_coef: positive(1), growth_rate: growth,
    fsdp_in_use: ignored, slice_p: whole(1, 1),
  },
  AdamW8bit: {
    betas: betas(0.9, 0.999), eps: number(1e-8), weight_decay: number(0.01), amsgrad: only(false), optim_bits: only(32), ...bitsandbytes,
  },
  Lion8bit: { betas: betas(0.9, 0.99), weight_decay: number(0), ...bitsandbytes },
  // bitsandbytes takes dampening and does not use it.
  SGDNesterov8bit: { momentum: positive(0.9), weight_decay: number(0), dampening: ignored, ...bitsandbytes },
  Adafactor: {
    eps: pair([1e-30, 1e-3], number(0), "must be two numbers not below 0"),
    clip_threshold: positive(1),
    decay_rate: finite(-0.8),
    beta1: orNone(number(0, 0, 1)),
    weight_decay: number(0),
    scale_parameter: flag(true),
    relative_step: flag(true),
    warmup_init: flag(false),
  },
};

/** Python class by `optimizer_type`. */
const CLASSES: Readonly<Record<keyof typeof OPTIMIZER_ARGUMENTS, string>> = {
  AdamW: "torch.optim.adamw.AdamW",
  Adam: "torch.optim.adam.Adam",
  Adafactor: "transformers.optimization.Adafactor",
  Lion: "lion_pytorch.lion_pytorch.Lion",
  DAdaptation: "dadaptation.experimental.dadapt_adam_preprint.DAdaptAdamPreprint",
  DAdaptAdam: "dadaptation.dadapt_adam.DAdaptAdam",
  DAdaptAdaGrad: "dadaptation.dadapt_adagrad.DAdaptAdaGrad",
  DAdaptSGD: "dadaptation.dadapt_sgd.DAdaptSGD",
  DAdaptAdan: "dadaptation.dadapt_adan.DAdaptAdan",
  DAdaptAdanIP: "dadaptation.experimental.dadapt_adan_ip.DAdaptAdanIP",
  DAdaptLion: "dadaptation.dadapt_lion.DAdaptLion",
  Prodigy: "prodigyopt.prodigy.Prodigy",
  AdamW8bit: "bitsandbytes.optim.adamw.AdamW8bit",
  Lion8bit: "bitsandbytes.optim.lion.Lion8bit",
  SGDNesterov8bit: "bitsandbytes.optim.sgd.SGD8bit",
  SGDNesterov: "torch.optim.sgd.SGD",
};

/** Arguments that sd-scripts adds where they are not given, as Python writes them. */
const ADDED: Readonly<Partial<Record<keyof typeof OPTIMIZER_ARGUMENTS, readonly [string, string]>>> = {
  SGDNesterov: ["momentum", "0.9"],
  SGDNesterov8bit: ["momentum", "0.9"],
  Adafactor: ["relative_step", "True"],
};

/**
 * `ss_optimizer` as sd-scripts writes it: `module.Class(key=value,…)`; a list of numbers reads as a Python tuple.
 * @param entries `optimizer_args`
 */
export function optimizerText(type: string, entries: readonly string[]): string {
  const texts = new Map<string, string>();
  for (const entry of entries) {
    const [key = "", value = ""] = entry.split(/=(.*)/s).map((part) => part.trim());
    const parts = value.replace(/^\((.*)\)$/, "$1").split(",").map((part) => part.trim());
    texts.set(key, parts.length > 1 ? `(${parts.join(", ")})` : value);
  }
  if (!isOptimizer(type)) return type;
  const [key, value] = ADDED[type] ?? [];
  if (key !== undefined && value !== undefined && !texts.has(key)) texts.set(key, value);
  const args = [...texts].map(([name, text]) => `${name}=${text}`).join(",");
  return args === "" ? CLASSES[type] : `${CLASSES[type]}(${args})`;
}

function isOptimizer(type: string): type is keyof typeof OPTIMIZER_ARGUMENTS {
  return Object.hasOwn(OPTIMIZER_ARGUMENTS, type);
}
