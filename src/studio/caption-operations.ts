/**
 * What can be done to many captions at once. Tags are those of `caption-tags.ts`; find and replace, text around, and
 * new captions act on the whole text. A caption that nothing is done to keeps every byte.
 */
import { escapeBrackets, inWords } from "../dataset/tag-names.ts";
import { InputError } from "../errors.ts";
import { closingBracket, tagsOf, withTags } from "./caption-tags.ts";
import type { Change } from "./edit.ts";
import { changePictures } from "./edit.ts";
import type { StudioPicture } from "./picture.ts";
import { distinctTags, sameTag } from "./same-tag.ts";
import { compareText, countTags } from "./tag-statistics.ts";

/** Where tags come in. `index` counts from 0; behind a tag that is not there is the end. */
export type TagPlace =
  | { readonly at: "front" | "end" }
  | { readonly at: "index"; readonly index: number }
  | { readonly at: "after"; readonly tag: string };

export type CaptionOperation =
  /** Tags that are there already stay where they are. */
  | { readonly kind: "add"; readonly tags: readonly string[]; readonly place: TagPlace }
  | { readonly kind: "remove"; readonly tags: readonly string[] }
  /** In the place of a tag come others; none: it is removed. */
  | { readonly kind: "replaceTag"; readonly from: string; readonly to: readonly string[] }
  | { readonly kind: "replaceText"; readonly find: string; readonly to: string; readonly isCaseSensitive: boolean }
  /** `isWholeTag`: tags one by one, each as a whole; otherwise anywhere in the text. `to` may hold `$1`. */
  | {
      readonly kind: "replacePattern";
      readonly pattern: string;
      readonly to: string;
      readonly isCaseSensitive: boolean;
      readonly isWholeTag: boolean;
    }
  | { readonly kind: "move"; readonly tags: readonly string[]; readonly to: "front" | "end" }
  /** The first `keepFirst` tags stay where they are. */
  | { readonly kind: "sort"; readonly by: "alphabet" | "frequency" | "length"; readonly keepFirst: number }
  | { readonly kind: "reverse"; readonly keepFirst: number }
  | { readonly kind: "dedupe" }
  /** Empty tags and spaces that are too many go. */
  | { readonly kind: "tidy" }
  /** Underscores become spaces, except in faces such as `^_^`. */
  | { readonly kind: "underscores" }
  | { readonly kind: "brackets"; readonly to: "escaped" | "plain" }
  | { readonly kind: "affix"; readonly prefix: string; readonly suffix: string }
  | { readonly kind: "set"; readonly caption: string }
  | { readonly kind: "clear" };

export type CaptionRewrite = (caption: string | null) => string | null;

/**
 * The changes that do something to the captions of these pictures.
 * @param all where frequencies are counted
 * @throws InputError `caption.pattern`
 */
export function captionChanges(
  pictures: readonly StudioPicture[], operation: CaptionOperation, all: readonly StudioPicture[] = pictures,
): Change[] {
  const rewrite = captionRewrite(operation, all);
  return changePictures(pictures, ({ caption }) => ({ caption: rewrite(caption) }));
}

/**
 * What an operation makes of a caption.
 * A pattern runs as the engine runs it, and some patterns take practically for ever: run those where they can be stopped.
 * @param all where frequencies are counted
 * @throws InputError `caption.pattern`
 */
export function captionRewrite(operation: CaptionOperation, all: readonly StudioPicture[]): CaptionRewrite {
  switch (operation.kind) {
    case "add": return ofTags((tags) => addTags(tags, operation.tags, operation.place));
    case "remove": {
      const gone = new Set(operation.tags.map(sameTag));
      return ofTags((tags) => tags.filter((tag) => !gone.has(sameTag(tag))));
    }
    case "replaceTag": return replaceTag(operation.from, operation.to);
    case "replaceText": {
      const { find, to, isCaseSensitive } = operation;
      if (find === "") return (caption) => caption;
      const pattern = new RegExp(find.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`), isCaseSensitive ? "gu" : "giu");
      return ofText((text) => text.replaceAll(pattern, () => to));
    }
    case "replacePattern": return replacePattern(operation);
    case "move": return moveTags(operation.tags, operation.to);
    case "sort": return sortTags(operation.by, operation.keepFirst, all);
    case "reverse": return ofTags((tags) => [...tags.slice(0, operation.keepFirst), ...tags.slice(operation.keepFirst).reverse()]);
    case "dedupe": return ofTags(distinctTags);
    case "tidy": return tidy;
    case "underscores": return ofTags((tags) => tags.map(inWords));
    case "brackets": return ofTags((tags) => tags.map(operation.to === "escaped" ? escaped : plain));
    case "affix": return (caption) => asCaption(`${operation.prefix}${caption ?? ""}${operation.suffix}`, caption);
    case "set": return (caption) => asCaption(operation.caption, caption);
    case "clear": return () => null;
  }
}

function ofTags(to: (tags: string[]) => readonly string[]): CaptionRewrite {
  return (caption) => withTags(caption, to(tagsOf(caption)));
}

function ofText(to: (text: string) => string): CaptionRewrite {
  return (caption) => (caption === null ? null : asCaption(to(caption), caption));
}

/** A text that becomes blank is no caption: an empty file stops sd-scripts. */
function asCaption(text: string, before: string | null): string | null {
  return text === before || text.trim() !== "" ? text : null;
}

/** Tags with others put in; those that are there already are not added again. */
export function addTags(tags: readonly string[], added: readonly string[], place: TagPlace): string[] {
  const present = new Set(tags.map(sameTag));
  const fresh = distinctTags(added).filter((tag) => !present.has(sameTag(tag)));
  return tags.toSpliced(indexOf(tags, place), 0, ...fresh);
}

function indexOf(tags: readonly string[], place: TagPlace): number {
  if (place.at === "index") return Math.max(0, Math.min(tags.length, place.index));
  if (place.at === "after") {
    const key = sameTag(place.tag);
    const found = tags.findIndex((tag) => sameTag(tag) === key);
    return found < 0 ? tags.length : found + 1;
  }
  return place.at === "front" ? 0 : tags.length;
}

function replaceTag(from: string, to: readonly string[]): CaptionRewrite {
  const key = sameTag(from);
  const wanted = distinctTags(to);
  const keys = new Set(wanted.map(sameTag));
  return ofTags((tags) => {
    const at = tags.findIndex((tag) => sameTag(tag) === key);
    if (at < 0) return tags;
    // What comes in goes where the old one was, and is not left a second time elsewhere.
    const others = (part: readonly string[]): string[] => part.filter((tag) => sameTag(tag) !== key && !keys.has(sameTag(tag)));
    return [...others(tags.slice(0, at)), ...wanted, ...others(tags.slice(at + 1))];
  });
}

function replacePattern({ pattern, to, isCaseSensitive, isWholeTag }: CaptionOperation & { kind: "replacePattern" }): CaptionRewrite {
  if (pattern === "") return (caption) => caption;
  const flags = isCaseSensitive ? "gu" : "giu";
  const compiled = compile(pattern, flags);
  if (!isWholeTag) return ofText((text) => text.replaceAll(compiled, to));
  const whole = compile(`^(?:${pattern})$`, flags);
  return ofTags((tags) => tags.flatMap((tag) => {
    const replaced = tag.replace(whole, to).trim();
    return replaced === "" ? [] : [replaced];
  }));
}

function compile(pattern: string, flags: string): RegExp {
  try {
    return new RegExp(pattern, flags);
  } catch (cause) {
    // "Invalid regular expression: /(/gu: Unterminated group": the part behind the last colon is the reason.
    const reason = (cause instanceof Error ? cause.message : String(cause)).split(": ").at(-1) ?? "";
    const message = `The pattern can't be read: ${reason}. Put \\ before a character that is meant as such.`;
    throw new InputError("caption.pattern", message, { pattern, reason }, { cause });
  }
}

function moveTags(moved: readonly string[], to: "front" | "end"): CaptionRewrite {
  const order = distinctTags(moved).map(sameTag);
  return ofTags((tags) => {
    const wanted = order.flatMap((key) => tags.filter((tag) => sameTag(tag) === key));
    const others = tags.filter((tag) => !order.includes(sameTag(tag)));
    return to === "front" ? [...wanted, ...others] : [...others, ...wanted];
  });
}

function sortTags(by: "alphabet" | "frequency" | "length", keepFirst: number, all: readonly StudioPicture[]): CaptionRewrite {
  const counts = new Map(by === "frequency" ? countTags(all).map(({ key, count }) => [key, count]) : []);
  const alphabet = (a: string, b: string): number => compareText(sameTag(a), sameTag(b)) || compareText(a, b);
  const frequency = (a: string, b: string): number => (counts.get(sameTag(b)) ?? 0) - (counts.get(sameTag(a)) ?? 0);
  const length = (a: string, b: string): number => [...a].length - [...b].length;
  const compare = { alphabet, frequency, length }[by];
  return ofTags((tags) => [...tags.slice(0, keepFirst), ...tags.slice(keepFirst).sort(compare)]);
}

const tidy: CaptionRewrite = (caption) => {
  if (caption === null) return null;
  const tags = tagsOf(caption).map((tag) => tag.replaceAll(/\s+/g, " "));
  // Other lines are no tags that training knows of, but they may be wildcards' choices.
  const [, ...rest] = caption.split(/\r\n|\r|\n/);
  const lines = [tags.join(", "), ...rest.map((line) => line.trim()).filter((line) => line !== "")];
  return asCaption(lines.join("\n"), caption);
};

const plain = (tag: string): string => tag.replaceAll(/\\([()\\])/g, "$1");
/** From the plain form, so that doing it twice does not escape the escapes. A bracket around the whole is a weight. */
const escaped = (tag: string): string =>
  (closingBracket(tag, 0) === tag.length - 1 ? tag : escapeBrackets(plain(tag)));
