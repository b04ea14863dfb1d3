/** What is done to captions by hand: each change is one edit of the set that can be taken back. */
import { withTags } from "../../../studio/caption-tags.ts";
import { captionChanges } from "../../../studio/caption-operations.ts";
import type { CaptionOperation } from "../../../studio/caption-operations.ts";
import { changePictures } from "../../../studio/edit.ts";
import type { EditLabel } from "../../../studio/edit.ts";
import type { StudioPicture } from "../../../studio/picture.ts";
import type { OpenSet } from "./open-set.svelte.ts";

/** Writes the tags of one caption anew. */
export function setTags(open: OpenSet, picture: StudioPicture, tags: readonly string[], label: EditLabel): void {
  void open.edit(label, changePictures([picture], ({ caption }) => ({ caption: withTags(caption, tags) })));
}

/** Writes a whole caption anew; blank is none. */
export function setCaption(open: OpenSet, picture: StudioPicture, text: string): void {
  const caption = text.trim() === "" ? null : text;
  // A text field knows one kind of line end, and a file may have another.
  if (text === (picture.caption ?? "").replaceAll(/\r\n?/g, "\n")) return;
  void open.edit({ code: "caption", data: { name: picture.name } }, changePictures([picture], () => ({ caption })));
}

/** Puts tags into captions that lack them. */
export function addTagsTo(open: OpenSet, pictures: readonly StudioPicture[], tags: readonly string[], at: "front" | "end"): void {
  const operation: CaptionOperation = { kind: "add", tags, place: { at } };
  const changes = captionChanges(pictures, operation);
  void open.edit({ code: "tag.add", data: { tags: tags.join(", "), n: changes.length } }, changes);
}

export function removeTagFrom(open: OpenSet, pictures: readonly StudioPicture[], tag: string): void {
  const changes = captionChanges(pictures, { kind: "remove", tags: [tag] });
  void open.edit({ code: "tag.remove", data: { tags: tag, n: changes.length } }, changes);
}
