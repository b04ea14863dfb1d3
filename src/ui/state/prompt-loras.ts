/** LoRAs that a prompt names in tags, for the screen: what they add to the sliders, and how a prompt reads without them. */
import { extractExtraNetworks, readLora } from "../../text/prompt/extra-networks.ts";
import type { LoraReference } from "../../text/prompt/extra-networks.ts";

/** Tags that can be read; what is wrong with the others is said when the prompt is read as a whole. */
export function promptLoras(prompt: string): LoraReference[] {
  return extractExtraNetworks(prompt).networks.flatMap((network) => {
    try {
      return readLora(network) ?? [];
    } catch {
      return [];
    }
  });
}

/** The prompt without its tags. */
export function withoutLoras(prompt: string): string {
  return extractExtraNetworks(prompt).text.trim();
}
