/**
 * JSON for headers that come from outside. Unlike JSON.parse it refuses duplicate keys, keeps numbers as they are
 * written (so that `2.0` is told from `2`) and gives Maps, in which a key such as `__proto__` is just a key.
 */

/** A number as written. */
export class JsonNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** The value if it is written as a plain non-negative integer below 2^53. */
  get natural(): number | undefined {
    if (!/^\d+$/.test(this.text)) return undefined;
    const value = Number(this.text);
    return Number.isSafeInteger(value) ? value : undefined;
  }
}

export type JsonValue = null | boolean | string | JsonNumber | JsonValue[] | Map<string, JsonValue>;

/** `key` is set when the text is refused for a duplicate key only. */
export class JsonSyntaxError extends Error {
  readonly key: string | undefined;

  constructor(message: string, key?: string) {
    super(message);
    this.key = key;
  }
}

/** serde_json's limit; deeper input is an attack on the stack, not a header. */
const maxDepth = 128;
const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** Parses one JSON document. Throws JsonSyntaxError. */
export function parseStrictJson(text: string): JsonValue {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): JsonValue {
    if (depth > maxDepth) throw this.#unexpected("nesting deeper than 128 levels");
    this.#space();
    const char = this.#text[this.#at];
    if (char === "{") return this.#object(depth);
    if (char === "[") return this.#array(depth);
    if (char === '"') return this.#string();
    if (this.#word("null")) return null;
    if (this.#word("true")) return true;
    if (this.#word("false")) return false;
    return this.#number();
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) throw this.#unexpected("characters after the end");
  }

  #object(depth: number): Map<string, JsonValue> {
    const map = new Map<string, JsonValue>();
    this.#at++;
    if (this.#take("}")) return map;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') throw this.#unexpected("no key");
      const key = this.#string();
      if (map.has(key)) throw new JsonSyntaxError(`the key ${JSON.stringify(key)} occurs twice`, key);
      if (!this.#take(":")) throw this.#unexpected("no colon");
      map.set(key, this.value(depth + 1));
    } while (this.#take(","));
    if (!this.#take("}")) throw this.#unexpected("no closing brace");
    return map;
  }

  #array(depth: number): JsonValue[] {
    const items: JsonValue[] = [];
    this.#at++;
    if (this.#take("]")) return items;
    do items.push(this.value(depth + 1));
    while (this.#take(","));
    if (!this.#take("]")) throw this.#unexpected("no closing bracket");
    return items;
  }

  #string(): string {
    const start = this.#at++;
    while (this.#at < this.#text.length) {
      const code = this.#text.charCodeAt(this.#at++);
      if (code === 0x5c) this.#at++;
      else if (code === 0x22) {
        try {
          return JSON.parse(this.#text.slice(start, this.#at)) as string;
        } catch {
          break;
        }
      }
    }
    this.#at = start;
    throw this.#unexpected("a broken string");
  }

  #number(): JsonNumber {
    numberPattern.lastIndex = this.#at;
    const text = numberPattern.exec(this.#text)?.[0];
    if (text === undefined) throw this.#unexpected("no value");
    this.#at += text.length;
    return new JsonNumber(text);
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #take(char: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    while (this.#at < this.#text.length && " \t\n\r".includes(this.#text[this.#at]!)) this.#at++;
  }

  #unexpected(what: string): JsonSyntaxError {
    return new JsonSyntaxError(`${what} at character ${this.#at}`);
  }
}
