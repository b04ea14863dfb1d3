/** The filter above the gallery, while it is being written. */
import { serializeError } from "../../../errors.ts";
import type { SerializedError } from "../../../errors.ts";
import { compileFilter } from "../../../studio/filter/filter.ts";
import type { Filter, PicturePredicate } from "../../../studio/filter/filter.ts";
import { nearDuplicateGroups } from "../../../studio/likeness.ts";
import { captionTokenCounter } from "./caption-tokens.ts";
import type { TokenCounter } from "./caption-tokens.ts";
import type { OpenSet } from "./open-set.svelte.ts";

/** What `is:small` means: fewer pixels than the training resolution that most runs have. */
const smallBelow = 512 * 512;

export class PictureFilter {
  readonly #open: () => OpenSet | undefined;
  #text = $state("");
  /** The latest one that could be read. */
  #filter: Filter | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();
  #tokens: TokenCounter | undefined = $state.raw();

  constructor(open: () => OpenSet | undefined) {
    this.#open = open;
  }

  get text() {
    return this.#text;
  }
  get error() {
    return this.#error;
  }
  set text(text: string) {
    this.#text = text;
    this.#error = undefined;
    try {
      this.#filter = compileFilter(text);
    } catch (error) {
      this.#error = serializeError(error);
      return;
    }
    if (this.#filter?.usesTokens === true && this.#tokens === undefined) void this.#loadTokens();
  }

  async #loadTokens(): Promise<void> {
    try {
      this.#tokens = await captionTokenCounter();
    } catch (error) {
      this.#error = serializeError(error);
    }
  }

  /** undefined: everything is shown. */
  readonly predicate: PicturePredicate | undefined = $derived.by(() => {
    const open = this.#open();
    const filter = this.#filter;
    if (open === undefined || filter === undefined) return undefined;
    const tokens = this.#tokens;
    if (filter.usesTokens && tokens === undefined) return undefined;
    return filter.predicate({
      set: open.set,
      smallBelow,
      duplicates: () => new Set(nearDuplicateGroups(open.pictures.values()).flat().map(({ id }) => id)),
      tokens: tokens ?? (() => 0),
    });
  });
}
