/** How long a prompt is for the text encoder. The tokenizer's vocabulary is large, so it is loaded when first asked for. */
import type { SerializedError } from "../../errors.ts";
import { serializeError } from "../../errors.ts";
import type { PromptEmbedding } from "../../text/prompt/chunks.ts";

export interface TokenCount {
  readonly count: number;
  /** What fits into as many chunks as it takes: 75, 150, … */
  readonly limit: number;
}

export interface TokenOptions {
  readonly isV2: boolean;
  readonly steps: number;
  readonly embeddings: readonly PromptEmbedding[];
}

/** The longest part of a prompt as it is in the first step; an error where the prompt cannot be read. */
export async function countTokens(text: string, { isV2, steps, embeddings }: TokenOptions): Promise<TokenCount | SerializedError> {
  const [{ CHUNK_TOKENS, chunkPrompt }, { parsePrompt }, { endOfText }] = await Promise.all([
    import("../../text/prompt/chunks.ts"),
    import("../../text/prompt/prompt.ts"),
    import("../../text/clip-bpe.ts"),
  ]);
  try {
    const counts = parsePrompt(text, steps).parts.map(({ schedule }) => {
      const chunks = chunkPrompt(schedule[0]?.text ?? "", { variant: isV2 ? "sd2" : "sd1", embeddings });
      const last = chunks.at(-1)?.ids ?? new Int32Array();
      return (chunks.length - 1) * CHUNK_TOKENS + last.indexOf(endOfText, 1) - 1;
    });
    const count = Math.max(0, ...counts);
    return { count, limit: Math.max(1, Math.ceil(count / CHUNK_TOKENS)) * CHUNK_TOKENS };
  } catch (error) {
    return serializeError(error);
  }
}
