import { splitComposition } from "./composition.ts";
import { type ExtraNetwork, extractExtraNetworks, type LoraReference, readLora } from "./extra-networks.ts";
import { expandSchedule, type ScheduledText } from "./schedule.ts";

export interface PromptPart {
  /** Factor on the guidance towards this part. */
  readonly weight: number;
  /** The text by step; `chunkPrompt` reads each. */
  readonly schedule: readonly ScheduledText[];
}

export interface Prompt {
  /** In order of the text; the same one may come more than once, and then adds up. */
  readonly loras: readonly LoraReference[];
  /** `<kind:…>` of other kinds, which were taken out of the text. */
  readonly otherNetworks: readonly ExtraNetwork[];
  /** At least one. */
  readonly parts: readonly PromptPart[];
}

/**
 * Reads a prompt in the webui's syntax, in its order: extra networks, `AND`, schedule. Attention and `BREAK` come with
 * the chunks. A negative prompt has only a schedule: use `expandSchedule`.
 * @param steps evaluations of the model in the run
 * @throws InputError `prompt.lora-weight`; unbalanced brackets are text, never an error
 */
export function parsePrompt(text: string, steps: number): Prompt {
  const { text: rest, networks } = extractExtraNetworks(text);
  const loras: LoraReference[] = [];
  const otherNetworks: ExtraNetwork[] = [];
  for (const network of networks) {
    const lora = readLora(network);
    if (lora === undefined) otherNetworks.push(network);
    else loras.push(lora);
  }
  const parts = splitComposition(rest).map((part) => ({
    weight: part.weight,
    schedule: expandSchedule(part.text, steps),
  }));
  return { loras, otherNetworks, parts };
}
