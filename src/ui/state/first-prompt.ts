/** A prompt to begin with: what the first caption of a dataset says, which its LoRA is sure to understand. */
import type { DatasetFile } from "../../workers/train-protocol.ts";

/** Fewer steps than sd-scripts' 30, and enough to judge a LoRA by. */
const flags = "--s 20";
const regularization = /(^|\/)reg/i;

/**
 * @param extension of caption files
 * @returns a line of `sample_prompts`; undefined where there are no captions
 */
export async function promptFromCaptions(files: readonly DatasetFile[], extension: string): Promise<string | undefined> {
  const captions = files
    .filter(({ path }) => (path.endsWith(extension) || path.endsWith(".txt")) && !regularization.test(path))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const text = await captions[0]?.file.text();
  // One line; a leading # would make it a remark, and two dashes a flag.
  const caption = text?.replaceAll(/\s+/g, " ").replaceAll(/ --+ ?/g, " ").replace(/^[#\s]+/, "").trim();
  return caption === undefined || caption === "" ? undefined : `${caption} ${flags}`;
}
