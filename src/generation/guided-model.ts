/** The UNet under the guidance of a request's texts, as samplers ask for it. */
import { invariant } from "../errors.ts";
import { names } from "../models/forward-graphs.ts";
import { guide } from "../models/samplers/guidance.ts";
import { timestepEmbedding } from "../models/unet.ts";
import { passesKey, textsOf, type RequestPlan } from "./request-plan.ts";
import type { ModelOutput } from "../models/samplers/denoiser.ts";
import type { LatentState } from "../models/samplers/state.ts";
import type { ProgramRunner } from "../models/forward-runner.ts";

/**
 * Each call is the request's next evaluation.
 * @param contexts [77·chunks, width] of every text of the request
 */
export function createGuidedModel(
  runner: ProgramRunner,
  { script, passes, chunks, request }: RequestPlan,
  contexts: ReadonlyMap<string, Float32Array>,
  modelChannels: number,
): ModelOutput {
  let evaluation = 0;
  return async (input, timestep) => {
    const guiding = script.at(evaluation++);
    const texts = textsOf(guiding);
    const outputs: LatentState[] = [];
    for (const { model, texts: indices } of passes.get(passesKey(texts, chunks)) ?? []) {
      const result = await runner.run(model, {
        [names.x]: join(indices.map(() => input)),
        [names.timestepEmbedding]: timestepEmbedding(indices.map(() => timestep), modelChannels),
        [names.context]: join(indices.map((index) => contexts.get(texts[index]!)!)),
      });
      for (const [i, index] of indices.entries()) {
        outputs[index] = result.subarray(i * input.length, (i + 1) * input.length);
      }
    }
    const [first] = outputs;
    invariant(first !== undefined && outputs.length === texts.length, `evaluation ${evaluation} has no plan`);
    const positives = outputs.slice(-guiding.parts.length);
    // Where the negative prompt has no part in the result, anything will do in its place.
    return guide(first, guiding.parts.map(({ weight }, i) => ({ denoised: positives[i]!, weight })), request.cfg);
  };
}

function join(parts: readonly LatentState[]): Float32Array<ArrayBuffer> {
  const [{ length } = new Float32Array()] = parts;
  const joined = new Float32Array(parts.length * length);
  parts.forEach((part, i) => joined.set(part, i * length));
  return joined;
}
