/**
 * A filter expression as a tree. NOT binds before AND, AND before OR; a comma, or nothing at all between two terms, is
 * AND. Operators are capitals, so that small ones are words of a caption.
 */
import { InputError } from "../../errors.ts";
import type { Glob } from "../glob.ts";
import { parseGlob } from "../glob.ts";
import { isNumberField, states, stateOf } from "./fields.ts";
import type { FilterState, NumberField, TextField } from "./fields.ts";
import { filterWords } from "./words.ts";
import type { FilterWord } from "./words.ts";

export type Comparison = "=" | "!=" | "<" | "<=" | ">" | ">=";

export type FilterNode =
  | { readonly kind: "and" | "or"; readonly items: readonly FilterNode[] }
  | { readonly kind: "not"; readonly item: FilterNode }
  /** `any`: caption or path. */
  | { readonly kind: "text"; readonly field: TextField | "any"; readonly glob: Glob }
  | { readonly kind: "number"; readonly field: NumberField; readonly comparison: Comparison; readonly value: number }
  | { readonly kind: "state"; readonly state: FilterState };

/**
 * undefined where nothing is asked.
 * @throws InputError `filter.quote`, `filter.value`, `filter.number`, `filter.state`, `filter.operand`, `filter.bracket`;
 * each says at which character
 */
export function parseFilter(text: string): FilterNode | undefined {
  const words = filterWords(text);
  if (words.length === 0) return undefined;
  let next = 0;

  const readOr = (): FilterNode => readChain("or", readAnd, () => words[next]?.kind === "OR" && next++ >= 0);
  const readAnd = (): FilterNode => readChain("and", readNot, () => {
    const kind = words[next]?.kind;
    if (kind === "AND") next++;
    return kind === "AND" || kind === "NOT" || kind === "(" || kind === "term";
  });

  function readChain(kind: "and" | "or", readItem: () => FilterNode, goesOn: () => boolean): FilterNode {
    const items = [readItem()];
    while (goesOn()) items.push(readItem());
    return items.length === 1 ? items[0]! : { kind, items };
  }

  function readNot(): FilterNode {
    let isNegated = false;
    while (words[next]?.kind === "NOT") {
      isNegated = !isNegated;
      next++;
    }
    const item = readItem();
    return isNegated ? { kind: "not", item } : item;
  }

  function readItem(): FilterNode {
    const word = words[next];
    if (word?.kind === "term") {
      next++;
      return nodeOf(word);
    }
    if (word?.kind !== "(") throw missingOperand(word?.at ?? text.length);
    next++;
    const inner = readOr();
    if (words[next]?.kind !== ")") throw bracket(word.at);
    next++;
    return inner;
  }

  const tree = readOr();
  const extra = words[next];
  if (extra !== undefined) throw bracket(extra.at);
  return tree;
}

function nodeOf({ field, value, at }: FilterWord & { kind: "term" }): FilterNode {
  if (field === "is") {
    const state = stateOf(value);
    if (state !== undefined) return { kind: "state", state };
    const message = `“is:${value}” at character ${at + 1} is not known. There are ${states.join(", ")}.`;
    throw new InputError("filter.state", message, { position: at + 1, value, states });
  }
  if (field === undefined || !isNumberField(field)) return { kind: "text", field: field ?? "any", glob: parseGlob(value.toLowerCase()) };
  const match = /^(<=|>=|==|!=|=|<|>|≤|≥)?\s*(\S+)$/.exec(value);
  const number = match === null ? undefined : numberOf(field, match[2]!);
  if (number === undefined) {
    const message = `“${value}” behind ${field}: at character ${at + 1} is no number. Write, for example, ${field}:>=${examples[field]}.`;
    throw new InputError("filter.number", message, { position: at + 1, field, value, example: `${field}:>=${examples[field]}` });
  }
  return { kind: "number", field, comparison: comparisons[match?.[1] ?? "="] ?? "=", value: number };
}

const comparisons: Readonly<Record<string, Comparison>> = {
  "=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", "≤": "<=", ">": ">", ">=": ">=", "≥": ">=",
};
const examples: Readonly<Record<NumberField, string>> = {
  width: "512", height: "512", pixels: "512x512", ratio: "16:9", tags: "10", chars: "200", tokens: "75",
};

/** `512`, `1.5`, `300k`, `2M`; for pixels `512x768`, for a ratio `16:9`. */
function numberOf(field: NumberField, text: string): number | undefined {
  const pair = /^(\d+(?:\.\d+)?)[x×*:/](\d+(?:\.\d+)?)$/i.exec(text);
  if (pair !== null) {
    const [a, b] = [Number(pair[1]), Number(pair[2])];
    if (field === "pixels") return a * b;
    return field === "ratio" && b > 0 ? a / b : undefined;
  }
  const plain = /^(\d+(?:\.\d+)?|\.\d+)(k|m)?$/i.exec(text);
  if (plain === null) return undefined;
  const unit = { k: 1000, m: 1_000_000 }[plain[2]?.toLowerCase() ?? ""] ?? 1;
  return Number(plain[1]) * unit;
}

function missingOperand(at: number): InputError {
  const message = `Something to look for is missing at character ${at + 1}: write a word, a tag or a bracket there.`;
  return new InputError("filter.operand", message, { position: at + 1 });
}

function bracket(at: number): InputError {
  const message = `The bracket at character ${at + 1} has no partner: add it, or put the text in quotes.`;
  return new InputError("filter.bracket", message, { position: at + 1 });
}
