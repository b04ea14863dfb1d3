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

export function pictureTags(picture: StudioPicture): PictureTags {
  const known = found.get(picture);
  if (known !== undefined) return known;
  const tags = tagsOf(picture.caption);
  const made = { tags, keys: tags.map(sameTag) };
  found.set(picture, made);
  return made;
}

/** The whole caption in small letters. */
export function searchText(picture: StudioPicture): string {
  const known = texts.get(picture);
  if (known !== undefined) return known;
  const made = (picture.caption ?? "").toLowerCase();
  texts.set(picture, made);
  return made;
}
