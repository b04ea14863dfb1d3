import type { WeightedText } from "./composition.ts";
import { wholeWord } from "./word.ts";

/** Stands for `BREAK` in the result, with `BREAK_WEIGHT`. */
export const BREAK_TEXT = "BREAK";
export const BREAK_WEIGHT = -1;

const ROUND_FACTOR = 1.1;
const SQUARE_FACTOR = 1 / 1.1;
const piecePatterns: Readonly<Record<AttentionDialect, RegExp>> = {
  webui: /\\[\\()[\]]?|:\s*([-+]?[.\d]+)\s*\)|[^\\()[\]:]+|[()[\]:]/g,
  "sd-scripts": /\\[\\()[\]]?|:([-+]?[.\d]+)\)|[^\\()[\]:]+|[()[\]:]/g,
};
const breakPattern = new RegExp(String.raw`\s*${wholeWord("BREAK")}\s*`, "u");

interface Piece {
  readonly text: string;
  weight: number;
}

/** Whose rules: sd-scripts' know no `BREAK`, and no blanks around a number. */
export type AttentionDialect = "webui" | "sd-scripts";

/**
 * Attention of a prompt: `(x)` × 1.1, `[x]` ÷ 1.1, `(x:1.3)`, nested ones multiplied; `\(` is a bracket to draw. A
 * bracket left open counts to the end, and one that closes nothing is text.
 * @returns pieces in order, neighbours of equal weight joined; never empty. `BREAK` comes as a piece of its own; inside
 * a weighted group its weight is multiplied too, and then it is a word like others (a quirk of the webui)
 */
export function parseAttention(text: string, dialect: AttentionDialect = "webui"): WeightedText[] {
  const pieces: Piece[] = [];
  const open: Record<"(" | "[", number[]> = { "(": [], "[": [] };
  const multiplyFrom = (start: number, factor: number): void => {
    for (let i = start; i < pieces.length; i++) pieces[i]!.weight *= factor;
  };
  const addText = (piece: string): void => {
    const parts = dialect === "webui" ? piece.split(breakPattern) : [piece];
    for (const [i, part] of parts.entries()) {
      if (i > 0) pieces.push({ text: BREAK_TEXT, weight: BREAK_WEIGHT });
      pieces.push({ text: part, weight: 1 });
    }
  };
  const close = (bracket: "(" | "[", factor: number, piece: string): void => {
    const start = open[bracket].pop();
    if (start === undefined) addText(piece);
    else multiplyFrom(start, factor);
  };
  for (const [piece, weight] of text.matchAll(piecePatterns[dialect])) {
    if (piece.startsWith("\\")) pieces.push({ text: piece.slice(1), weight: 1 });
    else if (piece === "(" || piece === "[") open[piece].push(pieces.length);
    else if (piece === ")") close("(", ROUND_FACTOR, piece);
    else if (piece === "]") close("[", SQUARE_FACTOR, piece);
    else if (weight === undefined) addText(piece);
    else if (!Number.isNaN(Number(weight))) close("(", Number(weight), piece);
    else {
      // `:1.2.3)` closes a bracket, but says no weight.
      addText(piece.slice(0, -1));
      close("(", ROUND_FACTOR, ")");
    }
  }
  for (const start of open["("]) multiplyFrom(start, ROUND_FACTOR);
  for (const start of open["["]) multiplyFrom(start, SQUARE_FACTOR);
  return joinEqual(pieces);
}

function joinEqual(pieces: readonly Piece[]): WeightedText[] {
  const joined: { text: string; weight: number }[] = [];
  for (const { text, weight } of pieces) {
    const last = joined.at(-1);
    if (last !== undefined && last.weight === weight) last.text += text;
    else joined.push({ text, weight });
  }
  return joined.length === 0 ? [{ text: "", weight: 1 }] : joined;
}
