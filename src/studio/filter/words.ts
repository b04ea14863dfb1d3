/** The text of a filter as a row of words: operators, brackets, and what pictures are asked for. */
import { InputError } from "../../errors.ts";
import { fieldOf, isNumberField } from "./fields.ts";
import type { FilterField } from "./fields.ts";

export type FilterWord =
  | { readonly kind: "AND" | "OR" | "NOT" | "(" | ")"; readonly at: number }
  /** `value` as it was written, wildcards and their backslashes in it. */
  | { readonly kind: "term"; readonly at: number; readonly field: FilterField | undefined; readonly value: string };

/** What Chinese keyboards write, character by character, so that places stay the same. */
const halfWidth: Readonly<Record<string, string>> = {
  "（": "(", "）": ")", "：": ":", "，": ",", "、": ",", "“": '"', "”": '"', "「": '"', "」": '"', "＂": '"', "\u3000": " ",
  "＞": ">", "＜": "<", "＝": "=", "＊": "*", "？": "?",
};
const operator = /(?:AND|OR|NOT)(?=[\s(),"]|$)/y;
const field = /(\p{L}+):/uy;
const single = /\s*(?:[<>=!≤≥]+\s*)?[^\s(),"]+/y;

/** @throws InputError `filter.quote`, `filter.value` */
export function filterWords(text: string): FilterWord[] {
  const plain = text.replaceAll(/[（）：，、“”「」＂\u3000＞＜＝＊？]/g, (character) => halfWidth[character] ?? character);
  const words: FilterWord[] = [];
  let at = 0;
  while (at < plain.length) {
    const character = plain[at]!;
    const word = operatorAt(plain, at);
    if (/\s/u.test(character)) at++;
    else if (character === "(" || character === ")") words.push({ kind: character, at: at++ });
    else if (character === ",") words.push({ kind: "AND", at: at++ });
    else if (word !== undefined) {
      words.push({ kind: word, at });
      at += word.length;
    } else {
      const term = termAt(plain, text, at);
      words.push(term.word);
      at = term.end;
    }
  }
  return words;
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function operatorAt(text: string, at: number): "AND" | "OR" | "NOT" | undefined {
  return matchAt(operator, text, at)?.[0] as "AND" | "OR" | "NOT" | undefined;
}

function fieldAt(text: string, at: number): { readonly field: FilterField; readonly end: number } | undefined {
  const match = matchAt(field, text, at);
  const found = match === null ? undefined : fieldOf(match[1]!);
  return match === null || found === undefined ? undefined : { field: found, end: at + match[0].length };
}

/** @param original with the quotes' contents as they were typed */
function termAt(plain: string, original: string, at: number): { readonly word: FilterWord; readonly end: number } {
  const named = fieldAt(plain, at);
  let start = named?.end ?? at;
  while (/[^\S]/u.test(plain[start] ?? "")) start++;
  const term = (value: string, end: number) => ({ word: { kind: "term" as const, at, field: named?.field, value }, end });
  const isSingle = named !== undefined && (named.field === "is" || isNumberField(named.field));
  if (plain[start] === '"') {
    const { value, end } = quotedAt(plain, original, start);
    return term(value, end);
  }
  if (isSingle) {
    const match = matchAt(single, plain, start);
    if (match !== null) return term(match[0].trim(), start + match[0].length);
  } else {
    const { value, end } = phraseAt(plain, start);
    if (value !== "") return term(value, end);
  }
  const message = `Nothing follows “${plain.slice(at, start).trim()}” at character ${at + 1}: write what it should be.`;
  throw new InputError("filter.value", message, { position: at + 1, field: plain.slice(at, start).trim() });
}

function quotedAt(plain: string, original: string, start: number): { readonly value: string; readonly end: number } {
  let value = "";
  for (let i = start + 1; i < plain.length; i++) {
    if (plain[i] === '"') return { value, end: i + 1 };
    // What a backslash protects from wildcards keeps it for them.
    if (plain[i] === "\\" && plain[i + 1] === '"') i++;
    else if (plain[i] === "\\" && plain[i + 1] === "\\") value += original[i++]!;
    value += original[i]!;
  }
  const message = `The quote at character ${start + 1} is never closed: put another " behind it.`;
  throw new InputError("filter.quote", message, { position: start + 1 });
}

/** Words up to the next operator, comma, field, quote, or bracket that is none of theirs: `tag:saber (fate)`. */
function phraseAt(plain: string, start: number): { readonly value: string; readonly end: number } {
  let value = "";
  let depth = 0;
  let i = start;
  for (; i < plain.length; i++) {
    const character = plain[i]!;
    const isWordStart = i === start || /[\s(]/u.test(plain[i - 1]!);
    if (character === "\\" && /[(),":]/.test(plain[i + 1] ?? "")) {
      value += plain[++i]!;
      continue;
    }
    if (character === "," || character === '"' || (character === ")" && depth === 0)) break;
    if (isWordStart && i > start && (operatorAt(plain, i) !== undefined || fieldAt(plain, i) !== undefined)) break;
    if (character === "(" && (i === start || holdsExpression(plain, i))) break;
    if (character === "(") depth++;
    if (character === ")") depth--;
    value += character;
    // A backslash protects what is behind it from here on, too.
    if (character === "\\" && i + 1 < plain.length) value += plain[++i]!;
  }
  return { value: value.trim(), end: i };
}

/** Whether a bracket in a phrase is not part of a name but holds something to ask. */
function holdsExpression(plain: string, open: number): boolean {
  const close = plain.indexOf(")", open);
  if (close < 0) return true;
  for (let i = open + 1; i < close; i++) {
    if (/[\s(]/u.test(plain[i - 1]!) && (operatorAt(plain, i) !== undefined || fieldAt(plain, i) !== undefined)) return true;
  }
  return false;
}
