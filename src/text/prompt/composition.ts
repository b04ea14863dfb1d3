import { wholeWord } from "./word.ts";

export interface WeightedText {
  readonly text: string;
  readonly weight: number;
}

const andPattern = new RegExp(wholeWord("AND"), "u");
const weightPattern = /:\s*([-+]?(?:\d+\.?|\d*\.\d+))$/;

/** Parts of a prompt to guide to together, as in `a cat AND a dog:0.5`: at least one; weights may be negative. */
export function splitComposition(text: string): WeightedText[] {
  return text.split(andPattern).map((part) => {
    const trimmed = part.trimEnd();
    const match = weightPattern.exec(trimmed);
    if (match === null) return { text: trimmed, weight: 1 };
    return { text: trimmed.slice(0, match.index).trimEnd(), weight: Number(match[1]) };
  });
}
