/** Values that Python's `ast.literal_eval` gives for the literals that trainers' `key=value` arguments use. */
export type PythonValue = number | boolean | string | null | readonly PythonValue[];

const TOKEN = /\s*(?:([+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)|'([^'\\]*)'|"([^"\\]*)"|([A-Za-z]+)|([()[\],]))\s*/y;
const WORDS: Readonly<Record<string, PythonValue>> = { True: true, False: false, None: null };

/**
 * Reads one Python literal: numbers, `True`, `False`, `None`, plain strings, tuples and lists. As in Python, a
 * top-level comma makes a tuple: `0.9,0.99`.
 * @returns `undefined` if the text is something else
 */
export function parsePythonLiteral(text: string): PythonValue | undefined {
  const tokens = tokenize(text);
  if (tokens === undefined) return undefined;
  const reader = new LiteralReader(tokens);
  const value = reader.items("");
  return reader.atEnd() ? value : undefined;
}

type Token = { readonly punctuation: string } | { readonly value: PythonValue };

function tokenize(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (match === null) return undefined;
    const [, number, single, double, word, punctuation] = match;
    if (number !== undefined) tokens.push({ value: Number(number.replaceAll("_", "")) });
    else if (punctuation !== undefined) tokens.push({ punctuation });
    else if (word === undefined) tokens.push({ value: single ?? double ?? "" });
    else if (Object.hasOwn(WORDS, word)) tokens.push({ value: WORDS[word] ?? null });
    else return undefined;
  }
  return tokens;
}

class LiteralReader {
  private readonly tokens: readonly Token[];
  private position = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  atEnd(): boolean {
    return this.position === this.tokens.length;
  }

  /** Values up to `close` ("" = the end). One value without a comma stays itself, except in a list. */
  items(close: "" | ")" | "]"): PythonValue | undefined {
    const values: PythonValue[] = [];
    let comma = false;
    while (!this.closes(close)) {
      if (values.length > 0 && !comma) return undefined;
      const value = this.value();
      if (value === undefined) return undefined;
      values.push(value);
      comma = this.take(",");
    }
    if (close !== "") this.position++;
    if (values.length === 0) return close === "" ? undefined : [];
    return values.length === 1 && !comma && close !== "]" ? values[0] : values;
  }

  private value(): PythonValue | undefined {
    const token = this.tokens[this.position++];
    if (token === undefined) return undefined;
    if ("value" in token) return token.value;
    if (token.punctuation === "(") return this.items(")");
    return token.punctuation === "[" ? this.items("]") : undefined;
  }

  private closes(close: string): boolean {
    const token = this.tokens[this.position];
    if (token === undefined || close === "") return token === undefined && close === "";
    return "punctuation" in token && token.punctuation === close;
  }

  private take(punctuation: string): boolean {
    const token = this.tokens[this.position];
    const found = token !== undefined && "punctuation" in token && token.punctuation === punctuation;
    if (found) this.position++;
    return found;
  }
}
