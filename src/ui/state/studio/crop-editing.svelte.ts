/** One picture's crop while it is worked on. Nothing is done to the set until `crop` is taken from here. */
import type { Size } from "../../../config/parameter.ts";
import { moveArea, areaBetween, isWhole, pullEdge, typedArea, wholePicture, withRatio } from "../../../studio/crop-edit.ts";
import type { CropArea, CropEdge } from "../../../studio/crop-edit.ts";
import { enlargement, LONGEST_TARGET } from "../../../studio/crop-cover.ts";
import type { SeenPicture, TrainingView } from "../../../studio/crop-view.ts";
import type { Crop, StudioPicture } from "../../../studio/picture.ts";

export const cropLocks = ["free", "square", "original", "bucket", "size"] as const;
/** What the crop's shape is held to; with "size" it is also resized to it. */
export type CropLock = (typeof cropLocks)[number];

export class CropEditing {
  readonly picture: StudioPicture;
  /** Of the whole picture. */
  readonly size: Size;
  readonly #viewOf: (picture: SeenPicture) => TrainingView | undefined;
  #area: CropArea = $state.raw({ x: 0, y: 0, width: 1, height: 1 });
  #lock: CropLock = $state("free");
  #target: Size = $state.raw([512, 512]);
  /** Width / height of the bucket that was nearest when the shape was held to it. */
  #bucketRatio = $state(1);

  /** @param usualTarget the size that is offered where the picture has none */
  constructor(picture: StudioPicture, usualTarget: Size, viewOf: (picture: SeenPicture) => TrainingView | undefined) {
    this.picture = picture;
    this.size = [picture.width, picture.height];
    this.#viewOf = viewOf;
    this.#target = usualTarget;
    this.#take(picture.crop);
  }

  readonly crop: Crop | null = $derived.by(() => {
    const target = this.#lock === "size" ? { target: { width: this.#target[0], height: this.#target[1] } } : {};
    const isAsItIs = isWhole(this.#area, this.size) && (this.#lock !== "size" || this.#target.join() === this.size.join());
    return isAsItIs ? null : { ...this.#area, ...target };
  });
  /** What training will see; undefined where it would refuse what is left. */
  readonly view: TrainingView | undefined = $derived.by(() => this.#viewOf({ ...this.picture, crop: this.crop }));
  /** Above 1 where pixels are made up. */
  readonly enlargement: number = $derived(this.crop === null ? 1 : enlargement(this.crop));
  readonly isChanged: boolean = $derived.by(() => JSON.stringify(this.crop) !== JSON.stringify(this.picture.crop));

  get area() {
    return this.#area;
  }
  get lock() {
    return this.#lock;
  }
  get target() {
    return this.#target;
  }
  /** Width / height that is kept; undefined: free. */
  get ratio(): number | undefined {
    switch (this.#lock) {
      case "free":
        return undefined;
      case "square":
        return 1;
      case "original":
        return this.size[0] / this.size[1];
      case "bucket":
        return this.#bucketRatio;
      case "size":
        return this.#target[0] / this.#target[1];
    }
  }

  setLock(lock: CropLock): void {
    const { view } = this;
    if (lock === "bucket" && view !== undefined) this.#bucketRatio = view.bucket[0] / view.bucket[1];
    this.#lock = lock;
    this.#keepRatio();
  }

  /** In pixels; brought into what can be trained on. */
  setTarget(size: Size): void {
    const side = (value: number): number => Math.max(64, Math.min(LONGEST_TARGET, Math.round(Number.isFinite(value) ? value : 0)));
    this.#target = [side(size[0]), side(size[1])];
    this.#keepRatio();
  }

  move(dx: number, dy: number, from: CropArea = this.#area): void {
    this.#area = moveArea(from, dx, dy, this.size);
  }

  pull(edge: CropEdge, dx: number, dy: number, from: CropArea = this.#area): void {
    this.#area = pullEdge(from, edge, dx, dy, this.size, this.ratio);
  }

  draw(from: readonly [number, number], to: readonly [number, number]): void {
    this.#area = areaBetween(from, to, this.size, this.ratio);
  }

  type(field: keyof CropArea, value: number): void {
    if (!Number.isFinite(value)) return;
    this.#area = typedArea({ ...this.#area, [field]: value }, this.size, this.ratio, field === "height" ? "height" : "width");
  }

  /** The whole picture, as it came. */
  reset(): void {
    this.#take(null);
  }

  #keepRatio(): void {
    const { ratio } = this;
    if (ratio !== undefined) this.#area = withRatio(this.#area, ratio, this.size);
  }

  #take(crop: Crop | null): void {
    const { target, ...area }: Crop = crop ?? wholePicture(this.size);
    this.#area = area;
    this.#lock = target === undefined ? "free" : "size";
    if (target !== undefined) this.#target = [target.width, target.height];
  }
}
