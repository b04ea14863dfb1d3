import { endOfText, startOfText, wordIds } from "./clip-bpe.ts";
import { fixText } from "./fix-text.ts";

/**
 * `sd1`: the tokenizer of CLIP ViT-L/14; `sd2`: that of Stable Diffusion 2, which differs in padding with `!` (id 0)
 * and in cutting every ASCII `!` out of the text as that padding token.
 */
export type TokenizerVariant = "sd1" | "sd2";

/** Words that a vocabulary lacks, found in the text as typed; name i has the id `firstId` + i. */
export interface AddedWords {
  readonly names: readonly string[];
  readonly firstId: number;
}

export interface TokenizeOptions {
  readonly variant: TokenizerVariant;
  readonly words?: AddedWords | undefined;
}

const paddingToken = "!";
const boundaryIds = new Map([
  ["<|startoftext|>", startOfText],
  ["<|endoftext|>", endOfText],
]);
const specialPatterns = {
  sd1: /(<\|startoftext\|>|<\|endoftext\|>)/,
  sd2: /(<\|startoftext\|>|<\|endoftext\|>|!)/,
};
/** What Python counts as white space (JavaScript's `\s` takes U+FEFF and leaves U+0085); control codes are gone by then. */
const whiteSpace = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/g;
const wordPattern = /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^ \p{L}\p{N}]+/giu;

/** Token ids of a text as sd-scripts gets them, without start, end and padding. */
export function tokenize(text: string, { variant, words }: TokenizeOptions): number[] {
  // Special tokens are found in the text as typed, before any cleaning; the split keeps them at odd places.
  return text.split(words === undefined ? specialPatterns[variant] : patternWith(words, variant)).flatMap((part, i) => {
    if (i % 2 === 0) return plainIds(part);
    const word = words?.names.indexOf(part) ?? -1;
    if (words !== undefined && word >= 0) return [words.firstId + word];
    return part === paddingToken ? [0] : [boundaryIds.get(part)!];
  });
}

/** Of tokens that begin at the same place the longest counts. */
function patternWith({ names }: AddedWords, variant: TokenizerVariant): RegExp {
  const special = [...boundaryIds.keys(), ...(variant === "sd2" ? [paddingToken] : [])];
  const tokens = [...names, ...special].toSorted((a, b) => b.length - a.length);
  return new RegExp(`(${tokens.map((token) => token.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)).join("|")})`);
}

function plainIds(text: string): number[] {
  const clean = fixText(text).replace(whiteSpace, " ").toLowerCase();
  const words = clean.match(wordPattern) ?? [];
  return words.flatMap((word) => boundaryIds.get(word) ?? wordIds(word));
}

export interface EncodeOptions extends TokenizeOptions {
  /** Length of the result; 77 is what the text encoders take. */
  readonly maxLength?: number;
}

/**
 * Ids for a text encoder, `[maxLength]`: start, the text's tokens (cut if there are more than fit), end, then padding
 * with the end token (SD1) or 0 (SD2).
 */
export function encodePrompt(text: string, options: EncodeOptions): Int32Array<ArrayBuffer> {
  return encodeIds(tokenize(text, options), options);
}

/** As `encodePrompt`, of ids that `tokenize` gave. */
export function encodeIds(ids: readonly number[], { variant, maxLength = 77 }: EncodeOptions): Int32Array<ArrayBuffer> {
  const padded = new Int32Array(maxLength).fill(variant === "sd2" ? 0 : endOfText);
  padded.set([startOfText, ...ids.slice(0, maxLength - 2), endOfText]);
  return padded;
}
