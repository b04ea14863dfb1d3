/**
 * What is asked of captions again and again: their tags, what makes them the same tags, and the text to search.
 * Found once for each picture as it is; pictures are never changed in place.
 */
import { tagsOf } from "./caption-tags.ts";
import type { StudioPicture } from "./picture.ts";
import { sameTag } from "./same-tag.ts";

export interface PictureTags {
  /** As they are written. */
  readonly tags: readonly string[];
  /** `sameTag` of each. */
  readonly keys: readonly string[];
}

const found = new WeakMap<StudioPicture, PictureTags>();
const texts = new WeakMap<StudioPicture, string>();

/** What stands between two commas, spaces and all: the same few thousand again and again. */
const pieces = new Map<string, { readonly tag: string; readonly key: string }>();
const maxPieces = 100_000;

export function pictureTags(picture: StudioPicture): PictureTags {
  const known = found.get(picture);
  if (known !== undefined) return known;
  const made = readTags(picture.caption ?? "");
  found.set(picture, made);
  return made;
}

function readTags(caption: string): PictureTags {
  // Brackets and further lines are for whoever knows what they mean; without them a comma is a comma.
  if (/[([{\r\n]/.test(caption)) {
    const tags = tagsOf(caption);
    return { tags, keys: tags.map(sameTag) };
  }
  const tags: string[] = [];
  const keys: string[] = [];
  for (const piece of caption.split(",")) {
    const { tag, key } = pieces.get(piece) ?? readPiece(piece);
    if (tag === "") continue;
    tags.push(tag);
    keys.push(key);
  }
  return { tags, keys };
}

function readPiece(piece: string): { readonly tag: string; readonly key: string } {
  const tag = piece.trim();
  const read = { tag, key: sameTag(tag) };
  if (pieces.size >= maxPieces) pieces.clear();
  pieces.set(piece, read);
  return read;
}

/** The whole caption in small letters. */
export function searchText(picture: StudioPicture): string {
  const known = texts.get(picture);
  if (known !== undefined) return known;
  const made = (picture.caption ?? "").toLowerCase();
  texts.set(picture, made);
  return made;
}
