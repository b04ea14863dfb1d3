import { BREAK_TEXT, parseAttention } from "./attention.ts";
import { parsePrompt } from "./prompt.ts";

/**
 * What a prompt says of the picture, as a caption: networks, weights and brackets gone, of what changes on the way its
 * last form, tags in order with one comma between them and none twice.
 * @param steps evaluations of the model in the run
 * @throws InputError `prompt.lora-weight`
 */
export function captionOfPrompt(prompt: string, steps: number): string {
  const texts = parsePrompt(prompt, steps).parts.map(({ schedule }) => schedule.at(-1)?.text ?? "");
  const pieces = texts.map((text) => parseAttention(text).map((piece) => (piece.text === BREAK_TEXT ? "," : piece.text)).join(""));
  const tags = pieces.join(",").split(/[,\n]/).map((tag) => tag.replaceAll(/\s+/g, " ").trim());
  return [...new Set(tags.filter((tag) => tag !== ""))].join(", ");
}
