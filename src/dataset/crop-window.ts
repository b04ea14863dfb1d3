/** Which part of a picture is shown: in the middle, anywhere, or around a face; sd-scripts' rules. */
import type { Size } from "../config/parameter.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import { cropOffset, type Placement } from "./buckets.ts";
import { baseName, stemOf } from "./paths.ts";
import type { Chance } from "./vary-caption.ts";

/** The picture is resized, and this much cut out of it. */
export interface CropWindow {
  readonly resized: Size;
  readonly left: number;
  readonly top: number;
  readonly size: Size;
}

export type CropRules = Pick<TrainingConfig, "random_crop" | "face_crop_aug_range" | "enable_bucket" | "color_aug">;

/** Whether pictures look different at each showing, so that they cannot be encoded once. */
export function variesPictures(rules: CropRules): boolean {
  return rules.color_aug || rules.random_crop || cropsFaces(rules);
}

function cropsFaces(rules: CropRules): boolean {
  return rules.face_crop_aug_range !== "" && !rules.enable_bucket;
}

/** Centre and size of a face, in pixels of its picture. */
export interface FaceBox {
  readonly centre: Size;
  readonly size: Size;
}

/** The face that a file's name tells: `name_cx_cy_w_h`, as kohya's face detection writes it. */
export function faceBoxOf(path: string): FaceBox | undefined {
  const parts = baseName(stemOf(path)).split("_");
  const numbers = parts.slice(-4).map((part) => (/^[+-]?\d+$/.test(part) ? Number(part) : Number.NaN));
  const [cx, cy, width, height] = numbers;
  if (parts.length < 5 || numbers.some(Number.isNaN) || !(cx! > 0) || !(Math.max(width!, height!) > 0)) return undefined;
  return { centre: [cx!, cy!], size: [width!, height!] };
}

/** How large faces may become: the resolution's shorter side is from `most` to `least` times the face. */
export function faceRange(text: string): readonly [number, number] | undefined {
  const numbers = text.split(",").map(Number);
  const [first, second] = numbers;
  return numbers.length === 2 && first! > 0 && second! > 0 && Number.isFinite(first! + second!) ? [first!, second!] : undefined;
}

/**
 * @param size of the picture
 * @param chance undefined shows the middle
 */
export function cropWindow(path: string, size: Size, placement: Placement, rules: CropRules, chance: Chance | undefined): CropWindow {
  const middle = (): CropWindow => {
    const [left, top] = cropOffset(placement);
    return { resized: placement.resized, left, top, size: placement.bucket };
  };
  if (chance === undefined) return middle();
  const face = cropsFaces(rules) ? faceBoxOf(path) : undefined;
  const range = faceRange(rules.face_crop_aug_range);
  if (face !== undefined && range !== undefined) return faceWindow(size, face, range, placement, rules.random_crop, chance);
  if (!rules.random_crop) return middle();
  const [width, height] = placement.bucket;
  // Without buckets sd-scripts cuts pictures out at the size that they have.
  const resized = !rules.enable_bucket && size[0] >= width && size[1] >= height ? size : placement.resized;
  return { resized, left: chance.below(resized[0] - width + 1), top: chance.below(resized[1] - height + 1), size: placement.bucket };
}

/** Faces smaller than this, in pixels, stay in the middle. */
const SMALL_FACE = 40;

function faceWindow(
  size: Size, face: FaceBox, [least, most]: readonly [number, number], { bucket }: Placement, isRandom: boolean, chance: Chance,
): CropWindow {
  if (size[0] === bucket[0] && size[1] === bucket[1]) return { resized: size, left: 0, top: 0, size: bucket };
  const length = Math.max(...face.size);
  const side = Math.min(...bucket);
  const covering = Math.max(bucket[0] / size[0], bucket[1] / size[1]);
  // A picture smaller than the resolution grows as far as it must, where sd-scripts gives up.
  const smallest = Math.max(covering, Math.min(1, Math.max(covering, side / (length * most))));
  const largest = Math.max(smallest, Math.min(1, side / (length * least)));
  const scale = smallest >= largest ? smallest : smallest + chance.uniform() * (largest - smallest);
  const half = (value: number): number => Math.floor(value * scale + 0.5);
  const resized: Size = [Math.max(bucket[0], half(size[0])), Math.max(bucket[1], half(size[1]))];
  const start = (axis: 0 | 1): number => {
    const centre = half(face.centre[axis]);
    const whole = resized[axis];
    let at = centre - Math.floor(bucket[axis] / 2);
    if (isRandom) {
      const reach = Math.max(whole - centre, centre);
      at += chance.below(reach + 1) + chance.below(reach + 1) - reach;
    } else if (least !== most && length > Math.floor(side / 10) && length >= SMALL_FACE) {
      // One pixel further to the left and up, as Python divides.
      const back = Math.ceil(length / 20);
      at += chance.below(back + Math.floor(length / 20) + 1) - back;
    }
    return Math.max(0, Math.min(at, whole - bucket[axis]));
  };
  const top = start(1);
  return { resized, left: start(0), top, size: bucket };
}
