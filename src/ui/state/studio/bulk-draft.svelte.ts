/** An operation on many captions while it is being put together, and what it would do. Nothing happens before it is applied. */
import { serializeError } from "../../../errors.ts";
import type { SerializedError } from "../../../errors.ts";
import { captionChanges } from "../../../studio/caption-operations.ts";
import type { CaptionOperation, TagPlace } from "../../../studio/caption-operations.ts";
import { typedTags } from "../../../studio/caption-tags.ts";
import { changePictures } from "../../../studio/edit.ts";
import type { Change } from "../../../studio/edit.ts";
import type { StudioPicture } from "../../../studio/picture.ts";
import { rewriteCaptions } from "../../../workers/caption-client.ts";
import type { Gallery, Scope } from "./gallery.svelte.ts";

export const bulkKinds = [
  "add", "remove", "replaceTag", "replaceText", "replacePattern", "move", "sort", "reverse", "dedupe", "tidy", "underscores",
  "brackets", "affix", "set", "clear",
] as const satisfies readonly CaptionOperation["kind"][];
export type BulkKind = (typeof bulkKinds)[number];

export class BulkDraft {
  readonly #gallery: Gallery;
  kind: BulkKind = $state("add");
  scope: Scope = $state("all");
  tags = $state("");
  tag = $state("");
  to = $state("");
  find = $state("");
  place: TagPlace["at"] = $state("front");
  position = $state(2);
  behind = $state("");
  isCaseSensitive = $state(false);
  isWholeTag = $state(false);
  end: "front" | "end" = $state("front");
  by: "alphabet" | "frequency" | "length" = $state("frequency");
  keepFirst = $state(1);
  brackets: "escaped" | "plain" = $state("escaped");
  prefix = $state("");
  suffix = $state("");
  caption = $state("");

  #changes: readonly Change[] = $state.raw([]);
  #isLooking = $state(false);
  #error: SerializedError | undefined = $state.raw();

  constructor(gallery: Gallery) {
    this.#gallery = gallery;
  }

  /** What applying would do. */
  get changes() {
    return this.#changes;
  }
  get isLooking() {
    return this.#isLooking;
  }
  get error() {
    return this.#error;
  }
  readonly pictures: readonly StudioPicture[] = $derived.by(() => this.#gallery.inScope(this.scope));

  readonly operation: CaptionOperation = $derived.by((): CaptionOperation => {
    const { kind } = this;
    switch (kind) {
      case "add": return { kind, tags: typedTags(this.tags), place: this.#place };
      case "remove": return { kind, tags: typedTags(this.tags) };
      case "replaceTag": return { kind, from: this.tag.trim(), to: typedTags(this.to) };
      case "replaceText": return { kind, find: this.find, to: this.to, isCaseSensitive: this.isCaseSensitive };
      case "replacePattern":
        return { kind, pattern: this.find, to: this.to, isCaseSensitive: this.isCaseSensitive, isWholeTag: this.isWholeTag };
      case "move": return { kind, tags: typedTags(this.tags), to: this.end };
      case "sort": return { kind, by: this.by, keepFirst: this.keepFirst };
      case "reverse": return { kind, keepFirst: this.keepFirst };
      case "brackets": return { kind, to: this.brackets };
      case "affix": return { kind, prefix: this.prefix, suffix: this.suffix };
      case "set": return { kind, caption: this.caption };
      default: return { kind };
    }
  });

  get #place(): TagPlace {
    if (this.place === "index") return { at: "index", index: this.position - 1 };
    if (this.place === "after") return { at: "after", tag: this.behind };
    return { at: this.place };
  }

  /** Says that what is known is of before: nothing may be applied until `look` is done. */
  expectOther(): void {
    this.#isLooking = true;
  }

  /**
   * Finds out what would change, for these pictures and this operation; called again whenever one of them is another.
   * @param signal where that has happened meanwhile
   */
  async look(signal: AbortSignal): Promise<void> {
    const { operation, pictures } = this;
    try {
      const changes = await changesOf(operation, pictures, this.#gallery.inScope("all"), signal);
      if (signal.aborted) return;
      this.#changes = changes;
      this.#error = undefined;
    } catch (error) {
      if (signal.aborted) return;
      this.#changes = [];
      this.#error = serializeError(error);
    }
    this.#isLooking = false;
  }
}

async function changesOf(
  operation: CaptionOperation, pictures: readonly StudioPicture[], all: readonly StudioPicture[], signal: AbortSignal,
): Promise<readonly Change[]> {
  // An empty field means that there is nothing to write yet, not that captions should go.
  if (operation.kind === "set" && operation.caption.trim() === "") return [];
  if (operation.kind !== "replacePattern" || operation.pattern === "") return captionChanges(pictures, operation, all);
  const captions = await rewriteCaptions(operation, pictures.map(({ caption }) => caption), signal);
  const rewritten = new Map(pictures.map(({ id }, index) => [id, captions[index] ?? null]));
  return changePictures(pictures, ({ id }) => ({ caption: rewritten.get(id) ?? null }));
}
