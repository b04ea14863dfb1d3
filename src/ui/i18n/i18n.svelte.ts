/** The page's language: reactive texts by key, and texts by code with the English line as the way out. */
import type { SerializedError } from "../../errors.ts";
import type { EditLabel } from "../../studio/edit.ts";
import { codedEn } from "./coded-en.ts";
import { codedZhCN } from "./coded-zh-CN.ts";
import { en } from "./en.ts";
import type { MessageKey } from "./en.ts";
import { fill } from "./fill.ts";
import type { Values } from "./fill.ts";
import { Formatter } from "./format.ts";
import type { Language } from "./languages.ts";
import type { ArgsOf, CountKey, ErrorText, Messages } from "./messages.ts";
import { zhCN } from "./zh-CN.ts";

const dictionaries: Record<Language, Messages> = { en, "zh-CN": zhCN };
const coded = { en: codedEn, "zh-CN": codedZhCN };
type CodedKind = "problem" | "advice" | "rule" | "edit" | "set" | "log";

export class I18n {
  #language: Language = $state("en");
  readonly format: Formatter = $derived(new Formatter(this.#language));
  readonly #plurals = $derived(new Intl.PluralRules(this.#language));

  constructor(language: Language) {
    this.#language = language;
  }

  get language(): Language {
    return this.#language;
  }

  set language(language: Language) {
    this.#language = language;
  }

  /** The text of `key` with its placeholders filled; numbers are written as the language writes them. */
  t = <K extends MessageKey>(key: K, ...[values]: ArgsOf<K>): string =>
    this.#fill(dictionaries[this.#language][key] ?? en[key], values ?? {});

  /** The plural form of `key` for `n`. */
  count = (key: CountKey, n: number): string => {
    const texts: Readonly<Record<string, string | undefined>> = dictionaries[this.#language];
    const text = texts[`${key}.${this.#plurals.select(n)}`] ?? texts[`${key}.other`] ?? "";
    return this.#fill(text, { n });
  };

  /** A text by a name that is only known while running; `fallback` where there is none. */
  named = (prefix: "part" | "phase", name: string, fallback: string): string => {
    const texts: Readonly<Record<string, string | undefined>> = dictionaries[this.#language];
    return texts[`${prefix}.${name}`] ?? fallback;
  };

  /** Words of the engine, by code. `text` is its own English line, for a code without translation. */
  coded = (kind: CodedKind, code: string, data: Values, text: string): string => {
    const texts: Readonly<Record<string, string>> = coded[this.#language][kind];
    const found = texts[code];
    return found === undefined ? text : this.#fill(found, data);
  };

  /** What was done to a set of pictures. */
  edit = ({ code, data }: EditLabel): string => this.coded("edit", code, data, code);

  /** Something about a set of pictures. */
  setNotice = (code: string, data: Values): string => this.coded("set", code, data, code);

  error = (error: SerializedError): ErrorText => {
    const texts: Readonly<Record<string, ErrorText>> = coded[this.#language].errors;
    const found = texts[error.code];
    if (found !== undefined) return { what: this.#fill(found.what, error.data), do: this.#fill(found.do, error.data) };
    if (error.code !== "internal") return { what: error.message, do: "" };
    return { what: this.t("error.internal.what", { message: error.message }), do: this.t("error.internal.do") };
  };

  #fill(text: string, values: Values): string {
    return fill(text, values, this.format);
  }
}
