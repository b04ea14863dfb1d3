/** Text files of unknown encoding, as captions from older Windows programs are. */

export type TextEncodingName = "utf-8" | "utf-16le" | "utf-16be" | "gb18030" | "big5" | "shift_jis" | "windows-1252";

export interface DecodedText {
  /** Without a byte order mark. */
  readonly text: string;
  readonly encoding: TextEncodingName;
}

/** Decodes with no byte dropped or replaced. Undefined where the bytes are no text. */
export function decodeText(bytes: Uint8Array): DecodedText | undefined {
  const marked = markedEncoding(bytes);
  if (marked !== undefined) return trial(bytes, marked);
  if (bytes.includes(0)) return utf16(bytes);
  return trial(bytes, "utf-8") ?? legacy(bytes);
}

function trial(bytes: Uint8Array, encoding: TextEncodingName): DecodedText | undefined {
  try {
    return { text: new TextDecoder(encoding, { fatal: true }).decode(bytes), encoding };
  } catch {
    return undefined;
  }
}

function markedEncoding(bytes: Uint8Array): TextEncodingName | undefined {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return "utf-8";
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  return bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : undefined;
}

/** Without a mark, the commas and spaces of captions tell: half of each is a zero, on the one side or the other. */
function utf16(bytes: Uint8Array): DecodedText | undefined {
  if (bytes.length % 2 !== 0) return undefined;
  const zeros = [0, 0];
  for (const [at, byte] of bytes.entries()) if (byte === 0) zeros[at % 2] = zeros[at % 2]! + 1;
  if (zeros[0] === zeros[1]) return undefined;
  const found = trial(bytes, zeros[1]! > zeros[0]! ? "utf-16le" : "utf-16be");
  return found === undefined || isBinary(found.text) ? undefined : found;
}

/** The most plausible of the encodings that take every byte. Simplified Chinese where several are as plausible. */
function legacy(bytes: Uint8Array): DecodedText | undefined {
  let best: DecodedText | undefined;
  let bestScore = LEAST_SCORE;
  for (const [encoding, score] of Object.entries(scores) as [TextEncodingName, ScoreOf][]) {
    const decoded = trial(bytes, encoding);
    if (decoded === undefined || isBinary(decoded.text)) continue;
    const value = meanScore(bytes, encoding, score);
    if (value <= bestScore) continue;
    best = decoded;
    bestScore = value;
  }
  if (best !== undefined) return best;
  const western = trial(bytes, "windows-1252");
  return western === undefined || isBinary(western.text) ? undefined : western;
}

/** How usual a character is in its encoding, by its two bytes, from 0 to 1. */
type ScoreOf = (lead: number, trail: number) => number;

/** Below this, what was read is no language. */
const LEAST_SCORE = 0.35;
const between = (value: number, first: number, last: number): boolean => value >= first && value <= last;

/** The tables of each are in order of use: everyday characters come first, the rare ones behind. */
const scores: Readonly<Partial<Record<TextEncodingName, ScoreOf>>> = {
  gb18030: (lead, trail) => {
    if (trail < 0xa1) return 0.05;
    if (between(lead, 0xb0, 0xd7)) return 1;
    if (lead === 0xa1 || lead === 0xa3) return 0.8;
    return between(lead, 0xd8, 0xf7) ? 0.4 : 0.1;
  },
  big5: (lead) => {
    if (between(lead, 0xa4, 0xc6)) return 0.98;
    if (between(lead, 0xa1, 0xa3)) return 0.8;
    return between(lead, 0xc9, 0xf9) ? 0.3 : 0;
  },
  shift_jis: (lead) => {
    if (lead === 0x82 || lead === 0x83) return 0.98;
    if (lead === 0x81) return 0.8;
    if (between(lead, 0x88, 0x97)) return 0.9;
    return between(lead, 0x98, 0x9f) || lead >= 0xe0 ? 0.3 : 0;
  },
};

function meanScore(bytes: Uint8Array, encoding: TextEncodingName, score: ScoreOf): number {
  let sum = 0;
  let count = 0;
  for (let at = 0; at < bytes.length; at++) {
    const lead = bytes[at]!;
    if (lead < 0x80) continue;
    count++;
    // Half-width katakana: one byte each, and nobody's captions.
    if (encoding === "shift_jis" && between(lead, 0xa1, 0xdf)) continue;
    at++;
    sum += score(lead, bytes[at] ?? 0);
  }
  return sum / Math.max(1, count);
}

/** Control characters that no text has. */
function isBinary(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 9 || unit === 0x7f || between(unit, 14, 31) || between(unit, 0x81, 0x9f)) return true;
  }
  return false;
}
