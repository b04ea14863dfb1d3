/** Patterns with `*` (anything) and `?` (one character); a backslash makes them letters. Never slow, whatever the pattern. */

/** Characters to find; undefined stands for any one. */
type Part = readonly (string | undefined)[];

export interface Glob {
  readonly hasWildcards: boolean;
  /** The pattern without its backslashes. */
  readonly text: string;
  /** Parts between stars. */
  readonly parts: readonly Part[];
}

export function parseGlob(pattern: string): Glob {
  const parts: (string | undefined)[][] = [[]];
  let hasWildcards = false;
  let text = "";
  const characters = [...pattern];
  for (let i = 0; i < characters.length; i++) {
    const next = characters[i + 1];
    const isEscape = characters[i] === "\\" && (next === "*" || next === "?" || next === "\\");
    if (isEscape) i++;
    const letter = characters[i]!;
    const isStar = !isEscape && letter === "*";
    const isAny = !isEscape && letter === "?";
    if (isStar) parts.push([]);
    else parts.at(-1)!.push(isAny ? undefined : letter);
    hasWildcards ||= isStar || isAny;
    text += letter;
  }
  return { hasWildcards, text, parts };
}

/** Whether the whole text is as the pattern says. */
export function matchesGlob(glob: Glob, text: string): boolean {
  return glob.hasWildcards ? matchesParts(glob.parts, text) : text === glob.text;
}

/** Whether there is something in the text that is as the pattern says. */
export function containsGlob(glob: Glob, text: string): boolean {
  return glob.hasWildcards ? matchesParts([[], ...glob.parts, []], text) : text.includes(glob.text);
}

function matchesParts(parts: readonly Part[], text: string): boolean {
  const characters = [...text];
  const [first, ...others] = parts;
  const last = others.pop();
  if (first === undefined || !fits(characters, first, 0)) return false;
  if (last === undefined) return first.length === characters.length;
  // Between its ends, each part is best found as early as possible: that leaves the most for those behind it.
  let at = first.length;
  for (const part of others) {
    while (at + part.length <= characters.length && !fits(characters, part, at)) at++;
    if (at + part.length > characters.length) return false;
    at += part.length;
  }
  const end = characters.length - last.length;
  return end >= at && fits(characters, last, end);
}

function fits(text: readonly string[], part: Part, at: number): boolean {
  if (at + part.length > text.length) return false;
  return part.every((character, index) => character === undefined || character === text[at + index]);
}
