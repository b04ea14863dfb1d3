import { missingTensors } from "./checkpoint-errors.ts";
import { countNumbered } from "./checkpoint-keys.ts";
import type { Shapes, VaeConfig } from "./checkpoint-types.ts";
import { vaePrefix } from "./checkpoint-types.ts";

const scaleFactor = 0.18215;

/** Reads the VAE's structure; undefined when the file has none. Throws InputError. */
export function inferVae(file: string, shapes: Shapes): VaeConfig | undefined {
  const has = (part: string): boolean => [...shapes.keys()].some((key) => key.startsWith(`${vaePrefix}.${part}.`));
  const hasEncoder = has("encoder");
  const hasDecoder = has("decoder");
  if (!hasEncoder && !hasDecoder) return undefined;
  const shape = (key: string): readonly number[] => {
    const found = shapes.get(`${vaePrefix}.${key}`);
    if (found && found.length > 0) return found;
    throw missingTensors(file, [`${vaePrefix}.${key}`]);
  };
  const side = hasEncoder ? "encoder.down" : "decoder.up";
  const levels = countNumbered(shapes, `${vaePrefix}.${side}`);
  const blocks = countNumbered(shapes, `${vaePrefix}.${side}.0.block`);
  const widths = Array.from({ length: levels }, (_, level) => shape(`${side}.${level}.block.0.conv1.weight`)[0]!);
  const ch = hasEncoder ? shape("encoder.conv_in.weight")[0]! : widths[0]!;
  return {
    prefix: vaePrefix,
    ch,
    chMult: widths.map((width) => width / ch),
    // The decoder has one block more in each level.
    numResBlocks: hasEncoder ? blocks : blocks - 1,
    imageChannels: hasEncoder ? shape("encoder.conv_in.weight")[1]! : shape("decoder.conv_out.weight")[0]!,
    zChannels: hasDecoder ? shape("decoder.conv_in.weight")[1]! : shape("quant_conv.weight")[1]! / 2,
    embedDim: hasDecoder ? shape("post_quant_conv.weight")[1]! : shape("quant_conv.weight")[0]! / 2,
    hasEncoder,
    hasDecoder,
    scaleFactor,
  };
}

/** Every tensor of the parts that the file has, by normalized key. */
export function vaeShapes(config: VaeConfig): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const { prefix, ch, numResBlocks, imageChannels, zChannels, embedDim } = config;
  const widths = config.chMult.map((mult) => mult * ch);
  const top = widths.at(-1)!;
  const pair = (name: string, ...shape: [number, ...number[]]): void => {
    shapes.set(`${prefix}.${name}.weight`, shape);
    shapes.set(`${prefix}.${name}.bias`, [shape[0]]);
  };
  const block = (p: string, cin: number, cout: number): void => {
    pair(`${p}.norm1`, cin);
    pair(`${p}.conv1`, cout, cin, 3, 3);
    pair(`${p}.norm2`, cout);
    pair(`${p}.conv2`, cout, cout, 3, 3);
    if (cin !== cout) pair(`${p}.nin_shortcut`, cout, cin, 1, 1);
  };
  const middle = (p: string): void => {
    block(`${p}.block_1`, top, top);
    pair(`${p}.attn_1.norm`, top);
    for (const name of ["q", "k", "v", "proj_out"]) pair(`${p}.attn_1.${name}`, top, top, 1, 1);
    block(`${p}.block_2`, top, top);
  };

  if (config.hasEncoder) {
    pair("encoder.conv_in", ch, imageChannels, 3, 3);
    let channels = ch;
    widths.forEach((width, level) => {
      for (let j = 0; j < numResBlocks; j++) {
        block(`encoder.down.${level}.block.${j}`, channels, width);
        channels = width;
      }
      if (level < widths.length - 1) pair(`encoder.down.${level}.downsample.conv`, width, width, 3, 3);
    });
    middle("encoder.mid");
    pair("encoder.norm_out", top);
    pair("encoder.conv_out", 2 * zChannels, top, 3, 3);
    pair("quant_conv", 2 * embedDim, 2 * zChannels, 1, 1);
  }
  if (config.hasDecoder) {
    pair("post_quant_conv", zChannels, embedDim, 1, 1);
    pair("decoder.conv_in", top, zChannels, 3, 3);
    middle("decoder.mid");
    let channels = top;
    for (let level = widths.length - 1; level >= 0; level--) {
      const width = widths[level]!;
      for (let j = 0; j <= numResBlocks; j++) {
        block(`decoder.up.${level}.block.${j}`, channels, width);
        channels = width;
      }
      if (level > 0) pair(`decoder.up.${level}.upsample.conv`, width, width, 3, 3);
    }
    pair("decoder.norm_out", channels);
    pair("decoder.conv_out", imageChannels, channels, 3, 3);
  }
  return shapes;
}
