/** From noise to latents under a request's texts, whoever runs the programs. */
import { createDenoiser } from "../models/samplers/denoiser.ts";
import { sample, startLatents, type SampleProgress } from "../models/samplers/sample.ts";
import { NvNoise } from "../random/nv-noise.ts";
import { createGuidedModel } from "./guided-model.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";
import type { ProgramRunner } from "../models/forward-runner.ts";
import type { RequestPlan } from "./request-plan.ts";

export interface SampleRequestOptions {
  readonly signal?: AbortSignal;
  /** After each step; sampling waits for it. */
  readonly onStep?: (progress: SampleProgress) => void | Promise<void>;
}

/**
 * @param model what the UNet predicts, and its sizes
 * @param contexts [77·chunks, width] of every text of the request
 * @returns latents [height/8, width/8, 4], at the model's scale
 * @throws CancelledError before the next evaluation of the model; LorasmithError `sampling.not-finite`
 */
export async function sampleRequest(
  runner: ProgramRunner,
  { unet, predictionType }: Pick<Checkpoint, "unet" | "predictionType">,
  plan: RequestPlan,
  contexts: ReadonlyMap<string, Float32Array>,
  options: SampleRequestOptions = {},
): Promise<Float32Array<ArrayBuffer>> {
  const { request, height, width, sigmas } = plan;
  const noise = new NvNoise(request.seed);
  const drawNoise = (): Float32Array<ArrayBuffer> => noise.map(height, width, unet.inChannels);
  const model = createGuidedModel(runner, plan, contexts, unet.modelChannels);
  const latents = await sample({
    ...options,
    sampler: request.sampler,
    sigmas,
    x: startLatents(request.sampler, drawNoise(), sigmas[0]!),
    denoise: createDenoiser(model, predictionType),
    noise: drawNoise,
  });
  return Float32Array.from(latents);
}
