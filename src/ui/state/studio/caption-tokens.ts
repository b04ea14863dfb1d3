/** Lengths of captions as the text encoder counts them. The tokenizer's vocabulary is large, so it is loaded when first asked for. */

export type TokenCounter = (caption: string) => number;

const maxRemembered = 50_000;
const counts = new Map<string, number>();

/** Counts the tokens of a caption's first line, which is what training reads, without start and end. */
export async function captionTokenCounter(): Promise<TokenCounter> {
  const { tokenize } = await import("../../../text/tokenizer.ts");
  return (caption) => {
    const known = counts.get(caption);
    if (known !== undefined) return known;
    const [line = ""] = caption.split(/[\r\n]/, 1);
    const count = tokenize(line.trim(), { variant: "sd1" }).length;
    if (counts.size >= maxRemembered) counts.clear();
    counts.set(caption, count);
    return count;
  };
}
