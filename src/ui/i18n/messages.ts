/** Types of the dictionaries: keys and placeholders come from the English one, so a missing text does not compile. */
import type { en, MessageKey } from "./en.ts";

/** A language without a singular form leaves out the keys that end in `.one`. */
type SingularKey = Extract<MessageKey, `${string}.one`>;
export type Messages = Readonly<Record<Exclude<MessageKey, SingularKey>, string> & Partial<Record<SingularKey, string>>>;

/** Keys that have plural forms, without the ending. */
export type CountKey = MessageKey extends infer K ? (K extends `${infer Base}.other` ? Base : never) : never;

type NamesIn<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}` ? Name | NamesIn<Rest> : never;

/** The values that a text needs: none, or one for each placeholder. */
export type ArgsOf<K extends MessageKey> = [NamesIn<(typeof en)[K]>] extends [never]
  ? []
  : [values: Readonly<Record<NamesIn<(typeof en)[K]>, string | number>>];

/** A text about an error: what happened, what to do. */
export interface ErrorText {
  readonly what: string;
  readonly do: string;
}
