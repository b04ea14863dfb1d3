/** Byte pairs as GPT-2 and BART have them, read from tokenizer.json. */
import { InputError } from "../../errors.ts";

const words = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** Bytes as the characters that stand for them: printable ones for themselves, others from U+0100 on. */
const charOfByte: readonly string[] = (() => {
  const isPrintable = (byte: number): boolean => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPrintable(byte) ? byte : 256 + others++));
})();
const byteOfChar = new Map(charOfByte.map((char, byte) => [char, byte]));

export class ByteBpe {
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #pieces: ReadonlyMap<number, string>;
  readonly #ranks: ReadonlyMap<string, number>;
  readonly #special: ReadonlySet<number>;

  private constructor(numbers: ReadonlyMap<string, number>, ranks: ReadonlyMap<string, number>, special: ReadonlySet<number>) {
    this.#numbers = numbers;
    this.#pieces = new Map([...numbers].map(([piece, number]) => [number, piece]));
    this.#ranks = ranks;
    this.#special = special;
  }

  /** @param file name for messages @throws InputError `captioner.vocabulary` */
  static read(bytes: Uint8Array, file: string): ByteBpe {
    const json = parse(bytes, file);
    const model = record(json["model"]);
    const vocabulary = record(model?.["vocab"]);
    const merges = model?.["merges"];
    if (vocabulary === undefined || !Array.isArray(merges)) throw unusable(file, "it has no byte pairs");
    const numbers = new Map(Object.entries(vocabulary).filter((entry): entry is [string, number] => typeof entry[1] === "number"));
    const pairs = merges.map((pair: unknown, rank) => [Array.isArray(pair) ? pair.join(" ") : String(pair), rank] as const);
    const added = Array.isArray(json["added_tokens"]) ? json["added_tokens"].map(record) : [];
    const special = added.flatMap((token) => (typeof token?.["id"] === "number" && token["special"] === true ? [token["id"]] : []));
    if (numbers.get("<s>") === undefined || numbers.get("</s>") === undefined) throw unusable(file, "it has no <s> and </s>");
    return new ByteBpe(numbers, new Map(pairs), new Set(special));
  }

  /** With `<s>` in front and `</s>` behind. */
  encode(text: string): number[] {
    const inside = [...text.matchAll(words)].flatMap(([word]) => this.#merge(word));
    return ["<s>", ...inside, "</s>"].flatMap((piece) => this.#numbers.get(piece) ?? this.#numbers.get("<unk>") ?? []);
  }

  /** Pieces that stand for no text, and numbers that have no piece, are left out. */
  decode(tokens: readonly number[]): string {
    const chars = tokens.flatMap((token) => (this.#special.has(token) ? [] : [...(this.#pieces.get(token) ?? "")]));
    return new TextDecoder().decode(Uint8Array.from(chars.flatMap((char) => byteOfChar.get(char) ?? [])));
  }

  #merge(word: string): string[] {
    let pieces = Array.from(new TextEncoder().encode(word), (byte) => charOfByte[byte]!);
    for (;;) {
      const ranked = pieces.slice(1).map((piece, i) => this.#ranks.get(`${pieces[i]!} ${piece}`) ?? Infinity);
      const best = Math.min(...ranked);
      if (best === Infinity || ranked.length === 0) return pieces;
      const joined: string[] = [];
      for (let i = 0; i < pieces.length; i++) {
        const isPair = ranked[i] === best;
        joined.push(isPair ? pieces[i]! + pieces[i + 1]! : pieces[i]!);
        if (isPair) i += 1;
      }
      pieces = joined;
    }
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : undefined;
}

function parse(bytes: Uint8Array, file: string): Readonly<Record<string, unknown>> {
  try {
    const json = record(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
    if (json !== undefined) return json;
  } catch (cause) {
    throw unusable(file, "it is no JSON", cause);
  }
  throw unusable(file, "it is no tokenizer");
}

function unusable(file: string, reason: string, cause?: unknown): InputError {
  const message = `${file} can't be used as a captioner's vocabulary: ${reason}. Take the tokenizer.json that belongs to the model.`;
  return new InputError("captioner.vocabulary", message, { file, reason }, cause === undefined ? {} : { cause });
}
