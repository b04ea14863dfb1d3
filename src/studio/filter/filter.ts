/** Which pictures of a set an expression is true of; see `parse.ts` for the language. */
import type { Glob } from "../glob.ts";
import { containsGlob, matchesGlob } from "../glob.ts";
import { pictureTags, searchText } from "../picture-tags.ts";
import type { StudioPicture } from "../picture.ts";
import { sameTag } from "../same-tag.ts";
import { classTokensOf, folderNameOf } from "../studio-set.ts";
import type { StudioSet } from "../studio-set.ts";
import type { FilterState, NumberField, TextField } from "./fields.ts";
import type { Comparison, FilterNode } from "./parse.ts";
import { parseFilter } from "./parse.ts";

/** What pictures don't know of themselves. */
export interface FilterContext {
  readonly set: StudioSet;
  /** Ids of pictures that look like another one of the set; only asked where they matter. */
  readonly duplicates: () => ReadonlySet<string>;
  /** Pixels below which a picture is small: width times height of the training resolution. */
  readonly smallBelow: number;
  /** Length of a caption for the text encoder; only asked where `usesTokens`. */
  readonly tokens: (caption: string) => number;
}

export type PicturePredicate = (picture: StudioPicture) => boolean;

export interface Filter {
  readonly usesTokens: boolean;
  predicate(context: FilterContext): PicturePredicate;
}

/** undefined where nothing is asked. @throws InputError as `parseFilter` */
export function compileFilter(text: string): Filter | undefined {
  const tree = parseFilter(text);
  if (tree === undefined) return undefined;
  return { usesTokens: usesTokens(tree), predicate: (context) => predicateOf(tree, context) };
}

/** How a tag is asked for, so that the filter means this tag and no other. */
export function tagFilter(tag: string): string {
  return `tag:"${tag.replaceAll(/[\\*?"“”「」＂]/g, String.raw`\$&`)}"`;
}

function usesTokens(node: FilterNode): boolean {
  if (node.kind === "and" || node.kind === "or") return node.items.some(usesTokens);
  if (node.kind === "not") return usesTokens(node.item);
  return node.kind === "number" && node.field === "tokens";
}

function predicateOf(node: FilterNode, context: FilterContext): PicturePredicate {
  switch (node.kind) {
    case "and": {
      const items = node.items.map((item) => predicateOf(item, context));
      return (picture) => items.every((matches) => matches(picture));
    }
    case "or": {
      const items = node.items.map((item) => predicateOf(item, context));
      return (picture) => items.some((matches) => matches(picture));
    }
    case "not": {
      const matches = predicateOf(node.item, context);
      return (picture) => !matches(picture);
    }
    case "text": return textPredicate(node.field, node.glob, context);
    case "number": return numberPredicate(node.field, node.comparison, node.value, context);
    case "state": return statePredicate(node.state, context);
  }
}

function textPredicate(field: TextField | "any", glob: Glob, { set }: FilterContext): PicturePredicate {
  if (field === "tag") return tagPredicate(glob);
  const folders = new Map(set.subsets.map((subset) => [subset.id, folderNameOf(subset).toLowerCase()]));
  const pathOf = ({ subset, name }: StudioPicture): string => `${folders.get(subset) ?? ""}/${name.toLowerCase()}`;
  switch (field) {
    case "caption": return (picture) => containsGlob(glob, searchText(picture));
    case "name": return ({ name }) => containsGlob(glob, name.toLowerCase());
    case "path": return (picture) => containsGlob(glob, pathOf(picture));
    case "subset": {
      const found = idsWhere(set.subsets, (subset) => [folderNameOf(subset), classTokensOf(subset)], glob);
      return ({ subset }) => found.has(subset);
    }
    case "group": {
      const found = idsWhere(set.groups, ({ name, keyword }) => [name, keyword], glob);
      return ({ group }) => group !== null && found.has(group);
    }
    case "any": return (picture) => containsGlob(glob, searchText(picture)) || containsGlob(glob, pathOf(picture));
  }
}

function idsWhere<T extends { readonly id: string }>(items: readonly T[], texts: (item: T) => readonly string[], glob: Glob): Set<string> {
  return new Set(items.filter((item) => texts(item).some((text) => containsGlob(glob, text.toLowerCase()))).map(({ id }) => id));
}

/** Sets have few different tags: each is looked at once. */
function tagPredicate(glob: Glob): PicturePredicate {
  if (!glob.hasWildcards) {
    const wanted = sameTag(glob.text);
    return (picture) => pictureTags(picture).keys.includes(wanted);
  }
  const pattern: Glob = { ...glob, parts: glob.parts.map((part) => part.map((character) => (character === "_" ? " " : character))) };
  const known = new Map<string, boolean>();
  const matches = (key: string): boolean => {
    const answer = known.get(key) ?? (matchesGlob(pattern, key) || matchesGlob(glob, key));
    known.set(key, answer);
    return answer;
  };
  return (picture) => pictureTags(picture).keys.some(matches);
}

/** Ratios are only equal within what rounding to whole pixels makes of them. */
const ratioTolerance = 0.01;

function numberPredicate(field: NumberField, comparison: Comparison, value: number, context: FilterContext): PicturePredicate {
  const measure = measureOf(field, context);
  const tolerance = field === "ratio" ? value * ratioTolerance : 0;
  const isEqual = (a: number): boolean => Math.abs(a - value) <= tolerance;
  switch (comparison) {
    case "=": return (picture) => isEqual(measure(picture));
    case "!=": return (picture) => !isEqual(measure(picture));
    case "<": return (picture) => measure(picture) < value - tolerance;
    case "<=": return (picture) => measure(picture) <= value + tolerance;
    case ">": return (picture) => measure(picture) > value + tolerance;
    case ">=": return (picture) => measure(picture) >= value - tolerance;
  }
}

function measureOf(field: NumberField, context: FilterContext): (picture: StudioPicture) => number {
  switch (field) {
    case "width": return (picture) => keptPart(picture).width;
    case "height": return (picture) => keptPart(picture).height;
    case "pixels": return pixelsOf;
    case "ratio": return (picture) => keptPart(picture).width / keptPart(picture).height;
    case "tags": return (picture) => pictureTags(picture).tags.length;
    case "chars": return ({ caption }) => [...(caption ?? "")].length;
    case "tokens": return ({ caption }) => context.tokens(caption ?? "");
  }
}

function statePredicate(state: FilterState, context: FilterContext): PicturePredicate {
  const regs = new Set(context.set.subsets.filter(({ isReg }) => isReg).map(({ id }) => id));
  switch (state) {
    case "untagged": return ({ caption }) => caption === null || caption.trim() === "";
    case "reg": return ({ subset }) => regs.has(subset);
    case "cropped": return ({ crop }) => crop !== null;
    case "mirrored": return ({ isMirrored }) => isMirrored;
    case "duplicate": {
      const ids = context.duplicates();
      return ({ id }) => ids.has(id);
    }
    case "generated": return ({ origin }) => origin?.kind === "generated";
    case "derived": return ({ origin }) => origin?.kind === "derived";
    case "grouped": return ({ group }) => group !== null;
    case "small": return (picture) => pixelsOf(picture) < context.smallBelow;
  }
}

/** What is left of a picture: its crop where it has one. */
const keptPart = ({ crop, width, height }: StudioPicture): { readonly width: number; readonly height: number } => crop ?? { width, height };
const pixelsOf = (picture: StudioPicture): number => keptPart(picture).width * keptPart(picture).height;
