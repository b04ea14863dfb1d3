import { InputError } from "../errors.ts";
import type { LoraReference } from "../text/prompt/extra-networks.ts";
import type { AdapterWeight } from "./request.ts";

/**
 * Adapters as they act on a picture: given weights and those of the prompt's tags, added up by name. What comes to
 * nothing is left out.
 * @param loaded names
 * @throws InputError `generation.unknownLora`, `generation.loraRank`
 */
export function actingAdapters(
  given: readonly AdapterWeight[], tags: readonly LoraReference[], loaded: readonly string[],
): AdapterWeight[] {
  const cut = tags.find(({ rank }) => rank !== undefined);
  if (cut !== undefined) {
    const message = `The prompt asks for rank ${cut.rank} of the LoRA "${cut.name}" (dyn); LoRAs act with all their ranks here. Take it out.`;
    throw new InputError("generation.loraRank", message, { name: cut.name, rank: cut.rank! });
  }
  const sums = new Map<string, AdapterWeight>();
  for (const { name, unet, textEncoder } of [...given, ...tags]) {
    if (!loaded.includes(name)) throw unknownLora(name, loaded);
    const before = sums.get(name) ?? { unet: 0, textEncoder: 0 };
    sums.set(name, { name, unet: before.unet + unet, textEncoder: before.textEncoder + textEncoder });
  }
  return [...sums.values()].filter(({ unet, textEncoder }) => unet !== 0 || textEncoder !== 0);
}

function unknownLora(name: string, loaded: readonly string[]): InputError {
  const known = loaded.length === 0 ? "None is loaded." : `Loaded: ${loaded.join(", ")}.`;
  return new InputError("generation.unknownLora", `There is no LoRA "${name}". ${known}`, { name, loaded });
}
