/**
 * A caption as a list of tags, and back. What training reads is the first line; tags are what stands between its commas.
 * Commas inside a bracket that a tag begins with do not divide: `(a, b:1.2)` and `{a|b, c}` are one tag. Everything
 * beside the tags (spaces, empty tags, further lines) is kept as it is, until the tags change.
 */

/** Tags of a caption, trimmed, none of them empty. */
export function tagsOf(caption: string | null): string[] {
  return caption === null ? [] : tagsOfLine(firstLine(caption));
}

/**
 * The caption with other tags. The same tags leave every byte as it was; otherwise the line is written anew with the
 * comma that it was written with, and the lines below it stay. null: nothing is left of it, or nothing was there.
 * @param tags trimmed, not empty, as `typedTags` makes them
 */
export function withTags(caption: string | null, tags: readonly string[]): string | null {
  if (caption === null) return tags.length === 0 ? null : tags.join(", ");
  const line = firstLine(caption);
  const before = tagsOfLine(line);
  if (before.length === tags.length && before.every((tag, index) => tag === tags[index])) return caption;
  const rest = caption.slice(line.length);
  if (tags.length === 0 && rest.trim() === "") return null;
  return tags.join(commaOf(line)) + rest;
}

/** What somebody typed or pasted, as tags: Chinese commas and line breaks divide too. */
export function typedTags(text: string): string[] {
  return text.split(/[\r\n，、]/).flatMap(tagsOfLine);
}

/**
 * Where what is being typed divides: tags that are done, and the one that is not. A bracket that is still open may hold
 * commas.
 */
export function typedSoFar(text: string): { readonly done: string; readonly rest: string } {
  const plain = text.replaceAll(/[，、\r\n]/g, ",");
  let start = 0;
  for (;;) {
    const end = pieceEnd(plain, start);
    const isOpen = /^\s*[([{]/.test(plain.slice(start)) && closingBracket(plain, start + plain.slice(start).search(/\S/)) < 0;
    if (end >= plain.length || isOpen) return { done: text.slice(0, start), rest: text.slice(start) };
    start = end + 1;
  }
}

/** The part of a caption that training reads, without its line end. */
function firstLine(caption: string): string {
  const end = caption.search(/[\r\n]/);
  return end < 0 ? caption : caption.slice(0, end);
}

/** How a line divides its tags: with the spaces around the first comma between two of them, or as everybody does. */
function commaOf(line: string): string {
  const [first, next] = piecesOf(line);
  if (first === undefined || next === undefined || first.trim() === "" || next.trim() === "") return ", ";
  return `${first.slice(first.trimEnd().length)},${next.slice(0, next.length - next.trimStart().length)}`;
}

function tagsOfLine(line: string): string[] {
  return piecesOf(line).map((piece) => piece.trim()).filter((tag) => tag !== "");
}

/** What stands between the dividing commas, spaces and all. */
function piecesOf(line: string): string[] {
  // Most captions have no brackets, and there are thousands of captions.
  if (!/[([{]/.test(line)) return line.split(",");
  const pieces: string[] = [];
  let start = 0;
  while (start <= line.length) {
    const end = pieceEnd(line, start);
    pieces.push(line.slice(start, end));
    start = end + 1;
  }
  return pieces;
}

/** Where the piece that begins here ends: behind its bracket where it is one, otherwise at the next comma. */
function pieceEnd(line: string, start: number): number {
  const opening = line.slice(start).search(/\S/u);
  const closing = opening < 0 ? -1 : closingBracket(line, start + opening);
  if (closing >= 0) {
    const behind = /^\s*(?=,|$)/u.exec(line.slice(closing + 1));
    if (behind !== null) return closing + 1 + behind[0].length;
  }
  const comma = line.indexOf(",", start);
  return comma < 0 ? line.length : comma;
}

const closers: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/** Index of the bracket that closes the one here, -1 where there is none of either. Escaped ones are letters. */
export function closingBracket(text: string, at: number): number {
  const opener = text[at] ?? "";
  const closer = closers[opener];
  if (closer === undefined) return -1;
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === opener) depth++;
    else if (text[i] === closer && --depth === 0) return i;
  }
  return -1;
}
