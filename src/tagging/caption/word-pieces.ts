/** From the numbers of a BERT vocabulary to text. */
import { InputError } from "../../errors.ts";

/** Pieces that stand for no text. */
const special = /^\[(?:PAD|UNK|CLS|SEP|MASK|DEC|ENC|unused\d+)\]$/;

export class WordPieces {
  readonly #pieces: readonly string[];

  private constructor(pieces: readonly string[]) {
    this.#pieces = pieces;
  }

  get size(): number {
    return this.#pieces.length;
  }

  /**
   * Reads vocab.txt, a piece in each line.
   * @param file name for messages
   * @throws InputError `captioner.vocabulary`
   */
  static read(bytes: Uint8Array, file: string): WordPieces {
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (cause) {
      throw unusable(file, "it is not UTF-8 text", cause);
    }
    // Not all that Unicode calls a line end: some of these are pieces themselves.
    const pieces = text.replace(/\n$/, "").split("\n").map((line) => line.replace(/\r$/, ""));
    if (!pieces.includes("[CLS]") || !pieces.includes("[SEP]")) throw unusable(file, "it has no [CLS] and [SEP]");
    return new WordPieces(pieces);
  }

  /** What has no piece, as words added behind a vocabulary do, stands for no text. */
  decode(tokens: readonly number[]): string {
    const pieces = tokens.map((token) => this.#pieces[token] ?? "[UNK]").filter((piece) => !special.test(piece));
    return withoutSpaces(pieces.join(" ").replaceAll(" ##", "").trim());
  }
}

/** Spaces that BERT has before punctuation and inside of abbreviations, taken out in this order. */
const joined: readonly (readonly [from: string, to: string])[] = [
  [" .", "."], [" ?", "?"], [" !", "!"], [" ,", ","], [" ' ", "'"], [" n't", "n't"], [" 'm", "'m"], [" 's", "'s"], [" 've", "'ve"],
  [" 're", "'re"],
];

function withoutSpaces(text: string): string {
  return joined.reduce((cleaned, [from, to]) => cleaned.replaceAll(from, to), text);
}

function unusable(file: string, reason: string, cause?: unknown): InputError {
  const message = `${file} can't be used as a captioner's vocabulary: ${reason}. Take the vocab.txt that belongs to the model.`;
  return new InputError("captioner.vocabulary", message, { file, reason }, cause === undefined ? {} : { cause });
}
