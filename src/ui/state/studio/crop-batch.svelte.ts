/** Crops for many pictures at once: how they are looked for, what was found, which of it is wanted. */
import type { Size } from "../../../config/parameter.ts";
import { CancelledError, serializeError } from "../../../errors.ts";
import type { SerializedError } from "../../../errors.ts";
import { asymmetricTags } from "../../../studio/asymmetric-tags.ts";
import { usualAutoSize } from "../../../studio/crop-auto-size.ts";
import type { AutoSizeRules } from "../../../studio/crop-auto-size.ts";
import { LONGEST_TARGET } from "../../../studio/crop-cover.ts";
import { usualFocusWeights } from "../../../studio/crop-focus.ts";
import type { FocusWeights } from "../../../studio/crop-focus.ts";
import type { CropMethod, NoCrop } from "../../../studio/crop-method.ts";
import { usualSplit } from "../../../studio/crop-split.ts";
import { applyCrops, flippedCopies } from "../../../studio/derive-pictures.ts";
import { changePictures } from "../../../studio/edit.ts";
import type { Crop, StudioPicture } from "../../../studio/picture.ts";
import { proposeForAll } from "../../../workers/crop-client.ts";
import type { ProposalListener } from "../../../workers/crop-client.ts";
import type { Scope } from "./gallery.svelte.ts";
import type { Studio } from "./studio.svelte.ts";

export const cropWays = ["middle", "focus", "entropy", "autoSize", "split"] as const;
export type CropWay = (typeof cropWays)[number];

/** A picture that can be cropped, and how. */
export interface FoundCrop {
  readonly picture: StudioPicture;
  readonly crops: readonly Crop[];
}

export interface CropFailure {
  readonly picture: StudioPicture;
  readonly error: SerializedError;
}

/** What a search came to. */
export interface Findings {
  readonly way: CropWay;
  readonly found: readonly FoundCrop[];
  /** How many pictures are left alone, by why. */
  readonly none: Readonly<Record<NoCrop, number>>;
  readonly failures: readonly CropFailure[];
}

export interface Flippable {
  readonly plain: readonly StudioPicture[];
  readonly doubtful: readonly StudioPicture[];
  /** Some of them. */
  readonly tags: readonly string[];
}

const mostTags = 6;

/** Sides that can be chosen, in pixels. */
export const cropSides = { least: 64, most: LONGEST_TARGET } as const;

export class CropBatch {
  readonly #studio: Studio;
  readonly #usualSize: () => Size;
  way: CropWay = $state("middle");
  #scope: Scope | undefined = $state();
  #size: Size | undefined = $state.raw();
  weights: FocusWeights = $state.raw(usualFocusWeights);
  autoSize: AutoSizeRules = $state.raw(usualAutoSize);
  split: { readonly threshold: number; readonly overlap: number } = $state.raw(usualSplit);
  #progress: { readonly done: number; readonly total: number } | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();
  #findings: Findings | undefined = $state.raw();
  #refused: ReadonlySet<string> = $state.raw(new Set());
  #abort = new AbortController();

  /** @param usualSize the resolution of the training to come */
  constructor(studio: Studio, usualSize: () => Size) {
    this.#studio = studio;
    this.#usualSize = usualSize;
  }

  get scope(): Scope {
    return this.#scope ?? this.#studio.gallery.likelyScope;
  }
  set scope(scope: Scope) {
    this.#scope = scope;
  }
  /** What is acted on. */
  get pictures(): readonly StudioPicture[] {
    return this.#studio.gallery.inScope(this.scope);
  }
  /** What is cropped to, for all ways but "autoSize". */
  get size(): Size {
    return this.#size ?? this.#usualSize();
  }
  /** While it looks for crops. */
  get progress() {
    return this.#progress;
  }
  get error() {
    return this.#error;
  }
  /** To be looked through; nothing is cropped yet. */
  get findings() {
    return this.#findings;
  }
  /** What of it was not refused. */
  readonly accepted: readonly FoundCrop[] = $derived.by(() =>
    (this.#findings?.found ?? []).filter(({ picture }) => !this.#refused.has(picture.id)));

  setSize(axis: 0 | 1, value: number): void {
    if (!Number.isFinite(value)) return;
    const side = Math.max(cropSides.least, Math.min(cropSides.most, Math.round(value)));
    this.#size = axis === 0 ? [side, this.size[1]] : [this.size[0], side];
  }

  get method(): CropMethod {
    const target = this.size;
    switch (this.way) {
      case "middle":
        return { kind: "middle", target };
      case "focus":
        return { kind: "focus", target, weights: this.weights };
      case "entropy":
        return { kind: "focus", target, weights: { face: 0, entropy: 1, corners: 0 } };
      case "autoSize":
        return { kind: "autoSize", rules: this.autoSize };
      case "split":
        return { kind: "split", rules: { target, ...this.split } };
    }
  }

  /** Looks for crops, for the pictures in scope. What was found when it is cancelled can be looked through all the same. */
  async find(): Promise<void> {
    const { pictures } = this;
    const { way } = this;
    const found = new Map<string, FoundCrop>();
    const none = { fits: 0, noSize: 0, notLong: 0 };
    const failures: CropFailure[] = [];
    let done = 0;
    const take: ProposalListener<StudioPicture> = (picture, outcome) => {
      if ("error" in outcome) failures.push({ picture, error: outcome.error });
      else if ("none" in outcome) none[outcome.none] += 1;
      else found.set(picture.id, { picture, crops: outcome.crops });
      this.#progress = { done: ++done, total: pictures.length };
    };
    this.#abort = new AbortController();
    this.#error = undefined;
    this.#refused = new Set();
    this.#progress = { done, total: pictures.length };
    try {
      await proposeForAll(pictures, this.method, take, this.#abort.signal);
    } catch (error) {
      if (!(error instanceof CancelledError)) this.#error = serializeError(error);
    } finally {
      this.#progress = undefined;
    }
    const inOrder = pictures.flatMap(({ id }) => found.get(id) ?? []);
    if (done > 0) this.#findings = { way, found: inOrder, none, failures };
  }

  cancel(): void {
    this.#abort.abort(new CancelledError());
  }

  isAccepted(id: string): boolean {
    return !this.#refused.has(id);
  }

  accept(ids: readonly string[], isAccepted: boolean): void {
    const refused = new Set(this.#refused);
    for (const id of ids) {
      if (isAccepted) refused.delete(id);
      else refused.add(id);
    }
    this.#refused = refused;
  }

  /** Forgets what was found. */
  dismiss(): void {
    this.#findings = undefined;
  }

  dismissError(): void {
    this.#error = undefined;
  }

  /** Crops what was accepted: one edit, which can be taken back as a whole. */
  apply(): void {
    const open = this.#studio.current;
    const isSplit = this.#findings?.way === "split";
    // What was removed or cropped otherwise since then is as it is now.
    const accepted = this.accepted.flatMap(({ picture, crops }) => {
      const now = open?.pictures.get(picture.id);
      return now === undefined ? [] : [{ picture: now, crops }];
    });
    this.#findings = undefined;
    if (open === undefined) return;
    const parts = accepted.reduce((sum, { crops }) => sum + crops.length, 0);
    const label = isSplit ? { code: "cropParts", data: { n: accepted.length, parts } } : { code: "crop", data: { n: accepted.length } };
    void open.edit(label, applyCrops(open.pictures.values(), accepted, () => crypto.randomUUID()));
  }

  /** Takes crops away. The pictures are whole again. */
  uncrop(pictures: readonly StudioPicture[]): void {
    const changes = changePictures(pictures, () => ({ crop: null }));
    void this.#studio.current?.edit({ code: "uncrop", data: { n: changes.length } }, changes);
  }

  /** Pictures in scope whose flipped copies are true to their captions, the others, and the tags that say so of these. */
  readonly flippable: Flippable = $derived.by(() => {
    const speaking = new Map(this.pictures.map((picture) => [picture, asymmetricTags(picture.caption)]));
    const isDoubtful = (picture: StudioPicture): boolean => (speaking.get(picture)?.length ?? 0) > 0;
    return {
      plain: this.pictures.filter((picture) => !isDoubtful(picture)),
      doubtful: this.pictures.filter(isDoubtful),
      tags: [...new Set([...speaking.values()].flat())].slice(0, mostTags),
    };
  });

  /** Adds a flipped copy of each. */
  addFlipped(pictures: readonly StudioPicture[]): void {
    const open = this.#studio.current;
    const changes = open === undefined ? [] : flippedCopies(open.pictures.values(), pictures, () => crypto.randomUUID());
    void open?.edit({ code: "flip", data: { n: changes.length } }, changes);
  }
}
