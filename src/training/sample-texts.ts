/** What the prompts of samples are to the UNet. */
import { invariant } from "../errors.ts";
import { TextContexts } from "../generation/text-contexts.ts";
import type { PlannedModel } from "../models/forward-runner.ts";
import type { SamplePlan } from "./sample-plan.ts";

/** Ids [77] to hidden states [77, width]. */
export type EncodeIds = (ids: Int32Array<ArrayBuffer>) => Promise<Float32Array<ArrayBuffer>>;

/** Token ids of everything that the prompts and negative prompts say, 77 for each chunk of a text. */
export function sampleTokenRows({ samples }: SamplePlan): Int32Array<ArrayBuffer>[] {
  const rows = samples.flatMap(({ plan }) => [...plan.chunks.values()].flat()).map(({ ids }) => Int32Array.from(ids));
  return [...new Map(rows.map((ids) => [ids.join(), ids])).values()];
}

/** Looks up what a text encoder that stays as it is has said before. */
export function knownStates(rows: readonly Int32Array[], states: readonly Float32Array<ArrayBuffer>[]): EncodeIds {
  const byIds = new Map(rows.map((ids, i) => [ids.join(), states[i]] as const));
  return async (ids) => {
    const found = byIds.get(ids.join());
    invariant(found !== undefined, "a prompt was not encoded before training");
    return found;
  };
}

/**
 * @param encoder for the text encoder's program of a sample
 * @returns contexts [77·chunks, width] by text
 */
export async function encodeSampleTexts(
  { samples }: Pick<SamplePlan, "samples">, vocabulary: number, encoder: (text: PlannedModel) => EncodeIds,
): Promise<Map<string, Float32Array<ArrayBuffer>>> {
  // The text encoder may have learned since the last time, so nothing is remembered from then.
  const texts = new TextContexts(vocabulary);
  const contexts = new Map<string, Float32Array<ArrayBuffer>>();
  for (const { plan } of samples) {
    const options = {
      key: "samples",
      writeVectors: () => invariant(false, "prompts of samples name no embeddings"),
      run: encoder(plan.text),
    };
    for (const [text, chunks] of plan.chunks) {
      if (!contexts.has(text)) contexts.set(text, await texts.encode(chunks, [], options));
    }
  }
  return contexts;
}
