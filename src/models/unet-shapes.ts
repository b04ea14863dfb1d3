import type { BlockSpec, LayerSpec, TransformerLayer, UNetConfig } from "./checkpoint-types.ts";

/** Every tensor of a UNet with its shape, by normalized key. */
export function unetShapes(config: UNetConfig): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  const { prefix, modelChannels, timeEmbedDim } = config;
  const weightAndBias = (name: string, ...shape: [number, ...number[]]): void => {
    shapes.set(`${name}.weight`, shape);
    shapes.set(`${name}.bias`, [shape[0]]);
  };

  const resBlock = (p: string, cin: number, cout: number, hasSkip: boolean): void => {
    weightAndBias(`${p}.in_layers.0`, cin);
    weightAndBias(`${p}.in_layers.2`, cout, cin, 3, 3);
    weightAndBias(`${p}.emb_layers.1`, cout, timeEmbedDim);
    weightAndBias(`${p}.out_layers.0`, cout);
    weightAndBias(`${p}.out_layers.3`, cout, cout, 3, 3);
    if (hasSkip) weightAndBias(`${p}.skip_connection`, cout, cin, 1, 1);
  };

  const transformer = ({ prefix: p, cin: c, depth }: TransformerLayer): void => {
    const projection: [number, ...number[]] = config.linearProjection ? [c, c] : [c, c, 1, 1];
    weightAndBias(`${p}.norm`, c);
    weightAndBias(`${p}.proj_in`, ...projection);
    for (let j = 0; j < depth; j++) {
      const q = `${p}.transformer_blocks.${j}`;
      for (const [attention, source] of [["attn1", c], ["attn2", config.contextDim]] as const) {
        shapes.set(`${q}.${attention}.to_q.weight`, [c, c]);
        shapes.set(`${q}.${attention}.to_k.weight`, [c, source]);
        shapes.set(`${q}.${attention}.to_v.weight`, [c, source]);
        weightAndBias(`${q}.${attention}.to_out.0`, c, c);
      }
      weightAndBias(`${q}.ff.net.0.proj`, 8 * c, c);
      weightAndBias(`${q}.ff.net.2`, c, 4 * c);
      for (const norm of ["norm1", "norm2", "norm3"]) weightAndBias(`${q}.${norm}`, c);
    }
    weightAndBias(`${p}.proj_out`, ...projection);
  };

  const layer = (spec: LayerSpec): void => {
    if (spec.kind === "res") resBlock(spec.prefix, spec.cin, spec.cout, spec.hasSkip);
    else if (spec.kind === "transformer") transformer(spec);
    else weightAndBias(spec.prefix, spec.cout, spec.cin, 3, 3);
  };

  weightAndBias(`${prefix}.time_embed.0`, timeEmbedDim, modelChannels);
  weightAndBias(`${prefix}.time_embed.2`, timeEmbedDim, timeEmbedDim);
  const blocks: BlockSpec[] = [...config.inputBlocks, config.middleBlock, ...config.outputBlocks];
  for (const block of blocks) block.layers.forEach(layer);
  weightAndBias(`${prefix}.out.0`, modelChannels);
  weightAndBias(`${prefix}.out.2`, config.outChannels, modelChannels, 3, 3);
  return shapes;
}
