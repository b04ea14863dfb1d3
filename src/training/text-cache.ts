/** Runs every distinct caption once through a text encoder that is not trained. */
import { openForward, planForward, variantOf, type ForwardPlan } from "./forward-plan.ts";
import { textsToCache, type TrainingPlan } from "./training-plan.ts";
import { buildTextGraph, names } from "../models/forward-graphs.ts";
import type { LoadOptions } from "../models/weight-loader.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Tier } from "../gpu/tier.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";

const key = "text";

export function planText(checkpoint: Checkpoint, clipSkip: number, tier: Tier): ForwardPlan {
  const { graph, hidden } = buildTextGraph(checkpoint, 1, clipSkip);
  return planForward([{ key, graph, result: hidden }], tier);
}

/** The text encoder while texts are cached; undefined where nothing is. */
export function planTextCache(plan: TrainingPlan): ForwardPlan | undefined {
  const { captions, samples } = textsToCache(plan);
  const { checkpoint, clipSkip, tier } = plan.options;
  return captions || samples ? planText(checkpoint, clipSkip, tier) : undefined;
}

/**
 * @param captions token ids [77] each
 * @returns hidden states [77, width] in the same order
 */
export async function cacheText(
  gpu: Gpu,
  checkpoint: Checkpoint,
  plan: ForwardPlan,
  captions: readonly Int32Array<ArrayBuffer>[],
  options: LoadOptions & { onCaption?(done: number, total: number): void } = {},
): Promise<Float32Array<ArrayBuffer>[]> {
  const runner = await openForward(gpu, checkpoint, plan, options);
  try {
    const known = new Map<string, Float32Array<ArrayBuffer>>();
    const states: Float32Array<ArrayBuffer>[] = [];
    for (const ids of captions) {
      options.signal?.throwIfAborted();
      const name = ids.join();
      let state = known.get(name);
      if (state === undefined) {
        state = await runner.run(variantOf(plan, key), { [names.ids]: ids });
        known.set(name, state);
      }
      states.push(state);
      options.onCaption?.(states.length, captions.length);
    }
    return states;
  } finally {
    runner.destroy();
  }
}
