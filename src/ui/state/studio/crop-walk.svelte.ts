/** Cropping by hand, picture after picture: the chosen ones if there are several, else those that are shown. */
import type { Size } from "../../../config/parameter.ts";
import type { TrainingConfig } from "../../../config/parameters.ts";
import { trainingViews } from "../../../studio/crop-view.ts";
import { changePicture } from "../../../studio/edit.ts";
import { CropEditing } from "./crop-editing.svelte.ts";
import type { Studio } from "./studio.svelte.ts";

export interface CropWalkContext {
  /** Of the training to come, whose buckets are shown. */
  readonly config: () => TrainingConfig;
  /** What a crop may be resized to, to begin with. */
  readonly usualSize: () => Size;
}

export class CropWalk {
  readonly #studio: Studio;
  readonly #context: CropWalkContext;
  #ids: readonly string[] = $state.raw([]);
  #at = $state(0);
  #editing: CropEditing | undefined = $state.raw();

  constructor(studio: Studio, context: CropWalkContext) {
    this.#studio = studio;
    this.#context = context;
  }

  /** The picture that is worked on; undefined while none is. */
  get editing() {
    return this.#editing;
  }
  /** From 0. */
  get at() {
    return this.#at;
  }
  get total() {
    return this.#ids.length;
  }

  /** Begins with the picture that has the focus, or the first. */
  start(): void {
    const { gallery } = this.#studio;
    const focused = gallery.focused;
    const isAmongChosen = gallery.selected.length > 1 && gallery.selected.some(({ id }) => id === focused?.id);
    const pictures = isAmongChosen ? gallery.selected : gallery.visible;
    this.#ids = pictures.map(({ id }) => id);
    this.#at = Math.max(0, this.#ids.indexOf(focused?.id ?? ""));
    this.#open();
  }

  /** On to another picture. What was changed is kept. */
  go(step: 1 | -1): void {
    const to = this.#at + step;
    if (this.#editing === undefined || to < 0 || to >= this.#ids.length) return;
    this.#keep();
    this.#at = to;
    this.#open();
  }

  /** Ends it. */
  close(isKept: boolean): void {
    const { gallery } = this.#studio;
    const id = this.#editing?.picture.id;
    if (isKept) this.#keep();
    this.#editing = undefined;
    // The gallery goes along, unless that would end a selection.
    const place = id === undefined || gallery.selected.length > 1 ? undefined : gallery.placeOf(id);
    if (place !== undefined) gallery.focusPlace(place);
  }

  #open(): void {
    const picture = this.#studio.current?.pictures.get(this.#ids[this.#at] ?? "");
    this.#editing = picture && new CropEditing(picture, this.#context.usualSize(), trainingViews(this.#context.config()));
  }

  #keep(): void {
    const editing = this.#editing;
    if (editing?.isChanged !== true) return;
    const { crop } = editing;
    const change = changePicture(editing.picture, { crop });
    if (change !== undefined) void this.#studio.current?.edit({ code: crop === null ? "uncrop" : "crop", data: { n: 1 } }, [change]);
  }
}
