/** Which texts steer which evaluation of the model. */
import { InputError } from "../errors.ts";
import { isUnguided } from "../models/samplers/guidance.ts";
import { samplers } from "../models/samplers/samplers.ts";
import { parsePrompt } from "../text/prompt/prompt.ts";
import { expandSchedule, scheduledText } from "../text/prompt/schedule.ts";
import type { WeightedText } from "../text/prompt/composition.ts";
import type { ExtraNetwork, LoraReference } from "../text/prompt/extra-networks.ts";
import type { GenerationRequest } from "./request.ts";

export interface GuidingTexts {
  /** Undefined where the negative prompt has no part in the result. */
  readonly negative: string | undefined;
  /** At least one. */
  readonly parts: readonly WeightedText[];
}

export interface PromptScript {
  readonly loras: readonly LoraReference[];
  /** @param evaluation of the model, from 0 */
  at(evaluation: number): GuidingTexts;
}

/**
 * Reads both prompts of a request. Only the prompt has `<lora:…>` and `AND`; in the negative one they are text, as in
 * the webui.
 * @throws InputError `prompt.lora-weight`, `generation.unknownNetwork`
 */
export function readPrompts({ prompt, negative, steps, sampler, cfg }: GenerationRequest): PromptScript {
  const count = steps * samplers[sampler].evaluations;
  const { loras, otherNetworks, parts } = parsePrompt(prompt, count);
  const [other] = otherNetworks;
  if (other !== undefined) throw unknownNetwork(other);
  const negatives = isUnguided(parts, cfg) ? undefined : expandSchedule(negative, count);
  return {
    loras,
    at: (evaluation) => ({
      negative: negatives && scheduledText(negatives, evaluation),
      parts: parts.map(({ weight, schedule }) => ({ weight, text: scheduledText(schedule, evaluation) })),
    }),
  };
}

function unknownNetwork({ kind, args }: ExtraNetwork): InputError {
  const tag = `<${kind}:${args.join(":")}>`;
  const message = `The prompt has ${tag}, which is nothing that can be loaded here; take it out. LoRAs are <lora:name:weight>.`;
  return new InputError("generation.unknownNetwork", message, { tag, kind });
}
