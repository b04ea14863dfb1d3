/** A picture of the Test screen as files that an import understands: how it was drawn is inside of the PNG. */
import { captionOfPrompt } from "../../../text/prompt/caption.ts";
import { classTokensOf } from "../../../studio/studio-set.ts";
import type { StudioSubset } from "../../../studio/studio-set.ts";
import type { DatasetFile } from "../../../workers/train-protocol.ts";

export interface Drawn {
  readonly request: { readonly prompt: string; readonly steps: number; readonly seed: number };
}

/**
 * The picture and its caption in a folder of one repeat, with the words of the set's first training folder: pictures
 * that a model drew count less than those that taught it.
 * @throws InputError `prompt.lora-weight`
 */
export function generatedFiles({ request }: Drawn, png: Blob, subsets: readonly StudioSubset[]): DatasetFile[] {
  const training = subsets.find(({ isReg }) => !isReg);
  const words = (training && classTokensOf(training)) || "generated";
  const path = `generated/1_${words}/generated-${request.seed}`;
  const caption = new Blob([captionOfPrompt(request.prompt, request.steps)], { type: "text/plain" });
  return [{ path: `${path}.png`, file: png }, { path: `${path}.txt`, file: caption }];
}
