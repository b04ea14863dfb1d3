import type { BlockSpec, Checkpoint, LayerSpec, TextEncoderConfig, UNetConfig } from "./checkpoint-types.ts";

/**
 * Names of the same module in the three worlds: the checkpoint file (LDM), diffusers, and LoRA files (kohya: the
 * diffusers path with underscores behind `lora_unet_` or `lora_te_`).
 */
export interface ModuleName {
  /** Normalized checkpoint key of the weight, e.g. `model.diffusion_model.input_blocks.1.1.proj_in.weight`. */
  readonly weightKey: string;
  /** First row of the module in that weight: only OpenCLIP's stacked q, k, v start behind 0. */
  readonly rowStart: number;
  /** e.g. `down_blocks.0.attentions.0.proj_in` or `text_model.encoder.layers.0.mlp.fc1` */
  readonly diffusers: string;
  /** e.g. `lora_unet_down_blocks_0_attentions_0_proj_in` */
  readonly kohya: string;
  readonly part: "unet" | "textEncoder";
  readonly kind: "linear" | "conv1x1" | "conv3x3";
  readonly in: number;
  readonly out: number;
  /** Inside a spatial transformer or a text encoder layer: what LoRA trains unless convolutions are asked for. */
  readonly inTransformer: boolean;
}

/**
 * Every linear and convolution of the UNet except conv_in, conv_out and the time embedding, in the order in which
 * sd-scripts comes across them (its middle block is registered last, and in a block the attentions come first).
 */
export function unetModules(unet: UNetConfig): ModuleName[] {
  const ends = ({ layers }: BlockSpec): boolean => layers.some(({ kind }) => kind === "down" || kind === "up");
  const walk = (blocks: readonly BlockSpec[], group: string): ModuleName[] => {
    const levels: ModuleName[][] = [[]];
    let index = 0;
    for (const block of blocks) {
      const path = `${group}.${levels.length - 1}`;
      for (const layer of block.layers) levels.at(-1)!.push(...layerModules(unet, layer, path, index));
      index = ends(block) ? 0 : index + 1;
      if (ends(block)) levels.push([]);
    }
    return levels.flatMap(inRegistrationOrder);
  };
  let resnets = 0;
  const middle = unet.middleBlock.layers.flatMap((layer) =>
    layerModules(unet, layer, "mid_block", layer.kind === "res" ? resnets++ : 0),
  );
  // Input block 0 is conv_in.
  const down = walk(unet.inputBlocks.slice(1), "down_blocks");
  return [...down, ...walk(unet.outputBlocks, "up_blocks"), ...inRegistrationOrder(middle)];
}

function inRegistrationOrder(modules: readonly ModuleName[]): ModuleName[] {
  const rank = ({ diffusers }: ModuleName): number => {
    const place = [".attentions.", ".resnets."].findIndex((part) => diffusers.includes(part));
    return place < 0 ? 2 : place;
  };
  return [...modules].sort((a, b) => rank(a) - rank(b));
}

function layerModules(unet: UNetConfig, layer: LayerSpec, block: string, index: number): ModuleName[] {
  const { prefix, cin, cout } = layer;

  switch (layer.kind) {
    case "conv":
      return [];
    case "down":
      return [unetModule(prefix, `${block}.downsamplers.0.conv`, "conv3x3", cin, cout)];
    case "up":
      return [unetModule(prefix, `${block}.upsamplers.0.conv`, "conv3x3", cin, cout)];
    case "res": {
      const path = `${block}.resnets.${index}`;
      const modules = [
        unetModule(`${prefix}.in_layers.2`, `${path}.conv1`, "conv3x3", cin, cout),
        unetModule(`${prefix}.emb_layers.1`, `${path}.time_emb_proj`, "linear", unet.timeEmbedDim, cout),
        unetModule(`${prefix}.out_layers.3`, `${path}.conv2`, "conv3x3", cout, cout),
      ];
      if (layer.hasSkip) modules.push(unetModule(`${prefix}.skip_connection`, `${path}.conv_shortcut`, "conv1x1", cin, cout));
      return modules;
    }
    case "transformer": {
      const path = `${block}.attentions.${index}`;
      const inner = (suffix: string, kind: ModuleName["kind"], from: number, to: number): ModuleName =>
        unetModule(`${prefix}.${suffix}`, `${path}.${suffix}`, kind, from, to, true);
      const projection = unet.linearProjection ? "linear" : "conv1x1";
      const modules = [inner("proj_in", projection, cin, cin)];
      for (let j = 0; j < layer.depth; j++) {
        const p = `transformer_blocks.${j}`;
        const attention = (which: string, source: number): ModuleName[] => [
          inner(`${p}.${which}.to_q`, "linear", cin, cin),
          inner(`${p}.${which}.to_k`, "linear", source, cin),
          inner(`${p}.${which}.to_v`, "linear", source, cin),
          inner(`${p}.${which}.to_out.0`, "linear", cin, cin),
        ];
        modules.push(
          ...attention("attn1", cin),
          inner(`${p}.ff.net.0.proj`, "linear", cin, 8 * cin),
          inner(`${p}.ff.net.2`, "linear", 4 * cin, cin),
          ...attention("attn2", unet.contextDim),
        );
      }
      modules.push(inner("proj_out", projection, cin, cin));
      return modules;
    }
  }
}

/**
 * One linear or convolution of the UNet.
 * @param ldm path in the checkpoint, without `.weight`
 * @param from input channels
 * @param to output channels
 */
function unetModule(
  ldm: string, diffusers: string, kind: ModuleName["kind"], from: number, to: number, inTransformer = false,
): ModuleName {
  return {
    weightKey: `${ldm}.weight`,
    rowStart: 0,
    diffusers,
    kohya: kohyaName("lora_unet", diffusers),
    part: "unet",
    kind,
    in: from,
    out: to,
    inTransformer,
  };
}

/** conv_in, the time embedding and conv_out: LyCORIS' widest preset trains them, too. */
export function outerModules({ prefix, inChannels, outChannels, modelChannels, timeEmbedDim }: UNetConfig): ModuleName[] {
  return [
    unetModule(`${prefix}.input_blocks.0.0`, "conv_in", "conv3x3", inChannels, modelChannels),
    unetModule(`${prefix}.time_embed.0`, "time_embedding.linear_1", "linear", modelChannels, timeEmbedDim),
    unetModule(`${prefix}.time_embed.2`, "time_embedding.linear_2", "linear", timeEmbedDim, timeEmbedDim),
    unetModule(`${prefix}.out.2`, "conv_out", "conv3x3", modelChannels, outChannels),
  ];
}

/** Every linear of the text encoder's used layers, under Hugging Face's names and in their order. */
export function textEncoderModules(text: TextEncoderConfig): ModuleName[] {
  const { layout, prefix, width, mlp } = text;
  const modules: ModuleName[] = [];
  for (let i = 0; i < text.layersUsed; i++) {
    const path = `text_model.encoder.layers.${i}`;
    const add = (suffix: string, weightKey: string, from: number, to: number, rowStart = 0): void => {
      const diffusers = `${path}.${suffix}`;
      const kohya = kohyaName("lora_te", diffusers);
      const common = { part: "textEncoder", kind: "linear", inTransformer: true } as const;
      modules.push({ ...common, weightKey, rowStart, diffusers, kohya, in: from, out: to });
    };
    if (layout === "hf") {
      const p = `${prefix}.encoder.layers.${i}`;
      for (const name of ["k_proj", "v_proj", "q_proj", "out_proj"]) {
        add(`self_attn.${name}`, `${p}.self_attn.${name}.weight`, width, width);
      }
      add("mlp.fc1", `${p}.mlp.fc1.weight`, width, mlp);
      add("mlp.fc2", `${p}.mlp.fc2.weight`, mlp, width);
    } else {
      const p = `${prefix}.transformer.resblocks.${i}`;
      // OpenCLIP stacks q, k and v, in this order, in one weight.
      add("self_attn.k_proj", `${p}.attn.in_proj_weight`, width, width, width);
      add("self_attn.v_proj", `${p}.attn.in_proj_weight`, width, width, 2 * width);
      add("self_attn.q_proj", `${p}.attn.in_proj_weight`, width, width, 0);
      add("self_attn.out_proj", `${p}.attn.out_proj.weight`, width, width);
      add("mlp.fc1", `${p}.mlp.c_fc.weight`, width, mlp);
      add("mlp.fc2", `${p}.mlp.c_proj.weight`, mlp, width);
    }
  }
  return modules;
}

function kohyaName(prefix: "lora_unet" | "lora_te", diffusersPath: string): string {
  return `${prefix}_${diffusersPath.replaceAll(".", "_")}`;
}

/** A module that a standard LoRA adapts. */
export interface LoraTarget {
  /** kohya name, e.g. `lora_unet_mid_block_attentions_0_proj_in`. */
  readonly name: string;
  readonly part: "unet" | "textEncoder";
  readonly kind: ModuleName["kind"];
  /** Side of the convolution's kernel; 1 for linears. */
  readonly kernel: 1 | 3;
  readonly in: number;
  readonly out: number;
  /** Base weight: rows `rowStart … rowStart + out` of a checkpoint tensor (normalized key), `[rows, in]` or `[rows, in, 3, 3]`. */
  readonly weight: { readonly key: string; readonly rowStart: number };
  /** Dimensions of the adapter's tensors in files: 4 where sd-scripts has a convolution. */
  readonly fileRank: 2 | 4;
}

/**
 * The modules of sd-scripts' `networks.lora`, in its creation order (text encoder, then UNet).
 * sd-scripts builds SD2 from a single file with 1×1 convolutions, too: proj_in and proj_out are 4-D in its files.
 * @param convDim where it is a number, what resnets, down- and upsamplers have joins; with 0 less its 3×3 convolutions
 */
export function loraTargets(model: Pick<Checkpoint, "unet" | "textEncoder">, convDim: number | null = null): LoraTarget[] {
  return [...textEncoderModules(model.textEncoder), ...unetModules(model.unet)]
    .filter(({ inTransformer, kind }) => inTransformer || (convDim !== null && (convDim > 0 || kind !== "conv3x3")))
    .map(toTarget);
}

export function toTarget({ kohya, part, kind, in: from, out, weightKey, rowStart }: ModuleName): LoraTarget {
  const isProjection = /_proj_(in|out)$/.test(kohya) && part === "unet";
  return {
    name: kohya,
    part,
    kind,
    kernel: kind === "conv3x3" ? 3 : 1,
    in: from,
    out,
    weight: { key: weightKey, rowStart },
    fileRank: isProjection || kind !== "linear" ? 4 : 2,
  };
}

/** Finds modules by any of their names. */
export class ModuleIndex {
  readonly modules: readonly ModuleName[];
  readonly #byKohya: Map<string, ModuleName>;
  readonly #byDiffusers: Map<string, ModuleName>;
  readonly #byWeight: Map<string, ModuleName>;

  constructor(model: { readonly unet: UNetConfig; readonly textEncoder: TextEncoderConfig }) {
    this.modules = [...textEncoderModules(model.textEncoder), ...unetModules(model.unet)];
    this.#byKohya = new Map(this.modules.map((module) => [module.kohya, module]));
    this.#byDiffusers = new Map(this.modules.map((module) => [module.diffusers, module]));
    this.#byWeight = new Map(this.modules.map((module) => [`${module.weightKey}@${module.rowStart}`, module]));
  }

  byKohya(name: string): ModuleName | undefined {
    return this.#byKohya.get(name);
  }

  byDiffusers(path: string): ModuleName | undefined {
    return this.#byDiffusers.get(path);
  }

  /** `rowStart` picks one of OpenCLIP's stacked projections. */
  byWeight(key: string, rowStart = 0): ModuleName | undefined {
    return this.#byWeight.get(`${key}@${rowStart}`);
  }
}
