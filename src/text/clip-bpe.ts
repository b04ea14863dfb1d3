import mergeLines from "./clip-merges.txt?raw";

/** Ids of the two tokens that are not in the merge table. */
export const startOfText = 49406;
export const endOfText = 49407;

const endOfWord = "</w>";
/** Longer words are rare or nonsense: they are not worth keeping. */
const maxCachedLength = 64;

interface Vocabulary {
  /** Character that stands for each byte value. */
  readonly alphabet: readonly string[];
  /** Rank of a pair, by `left right`. */
  readonly ranks: ReadonlyMap<string, number>;
  readonly ids: ReadonlyMap<string, number>;
}

let vocabulary: Vocabulary | undefined;
const cache = new Map<string, readonly number[]>();

/** Token ids of one word of CLIP's pre-tokenization (no white space inside). */
export function wordIds(word: string): readonly number[] {
  const known = cache.get(word);
  if (known) return known;
  const { alphabet, ranks, ids } = (vocabulary ??= loadVocabulary());
  const symbols = Array.from(new TextEncoder().encode(word), (byte) => alphabet[byte]!);
  symbols[symbols.length - 1] += endOfWord;
  const result = merge(symbols, ranks).map((symbol) => ids.get(symbol)!);
  if (word.length <= maxCachedLength) cache.set(word, result);
  return result;
}

/** Whether CLIP's vocabulary has this text as a token, at the end of a word or inside of one. */
export function isVocabularyEntry(text: string): boolean {
  return (vocabulary ??= loadVocabulary()).ids.has(text);
}

/** Joins, again and again, all occurrences of the adjacent pair that comes first in the merge table. */
function merge(symbols: string[], ranks: ReadonlyMap<string, number>): string[] {
  for (;;) {
    let best = Infinity;
    let bestPair = "";
    for (let i = 0; i + 1 < symbols.length; i++) {
      const pair = `${symbols[i]} ${symbols[i + 1]}`;
      const rank = ranks.get(pair) ?? Infinity;
      if (rank < best) {
        best = rank;
        bestPair = pair;
      }
    }
    if (best === Infinity) return symbols;
    const joined: string[] = [];
    for (let i = 0; i < symbols.length; i++) {
      if (i + 1 < symbols.length && `${symbols[i]} ${symbols[i + 1]}` === bestPair) {
        joined.push(symbols[i]! + symbols[++i]!);
      } else {
        joined.push(symbols[i]!);
      }
    }
    symbols = joined;
  }
}

function loadVocabulary(): Vocabulary {
  const printable = [...span(33, 126), ...span(161, 172), ...span(174, 255)];
  const others = [...span(0, 255)].filter((byte) => !printable.includes(byte));
  const alphabet: string[] = [];
  for (const byte of printable) alphabet[byte] = String.fromCharCode(byte);
  others.forEach((byte, k) => (alphabet[byte] = String.fromCharCode(0x100 + k)));

  const pairs = mergeLines.trimEnd().split("\n");
  const base = [...printable, ...others].map((byte) => alphabet[byte]!);
  const tokens = [...base, ...base.map((symbol) => symbol + endOfWord), ...pairs.map((pair) => pair.replace(" ", ""))];
  return {
    alphabet,
    ranks: new Map(pairs.map((pair, rank) => [pair, rank])),
    ids: new Map(tokens.map((token, id) => [token, id])),
  };
}

function span(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
