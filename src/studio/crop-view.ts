/** What training will see of a picture, by the code that prepares it there. */
import type { Size } from "../config/parameter.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import { bucketOptions, placeImage, predefinedBuckets } from "../dataset/buckets.ts";
import { cropWindow, faceBoxOf, variesPictures, type CropWindow } from "../dataset/crop-window.ts";
import type { Chance } from "../dataset/vary-caption.ts";
import { InputError } from "../errors.ts";
import { sizeAfterCrop } from "./crop-cover.ts";
import type { StudioPicture } from "./picture.ts";

export type SeenPicture = Pick<StudioPicture, "name" | "width" | "height" | "crop" | "isMirrored">;

/** Pixels of the shown picture, with fractions. */
export interface SeenArea {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface TrainingView {
  /** Width and height at which it is trained. */
  readonly bucket: Size;
  /** What of the picture that is. */
  readonly seen: SeenArea;
  /** What of the crop, or of the picture where it has none, is cut off at each side: whole pixels of the shown picture. */
  readonly cut: { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number };
  /** How many times larger than in the picture things are. */
  readonly scale: number;
  /** Where each showing differs, `seen` is one of its kind. */
  readonly varies: "anywhere" | "aroundFace" | undefined;
}

/** A showing that is neither to one side nor to the other. */
const usualChance: Chance = { uniform: () => 0.5, below: (limit) => Math.floor((limit - 1) / 2) };

/**
 * Makes the function that tells, for each picture, what a run with this configuration sees of it; undefined where the
 * run would refuse the picture as too small.
 */
export function trainingViews(config: TrainingConfig): (picture: SeenPicture) => TrainingView | undefined {
  const options = bucketOptions(config);
  const shapes = predefinedBuckets(options);
  const chance = variesPictures(config) ? usualChance : undefined;
  return (picture) => {
    const size = sizeAfterCrop([picture.width, picture.height], picture.crop);
    try {
      const placement = placeImage(size, options, shapes);
      const shown = cropWindow(picture.name, size, placement, config, chance);
      return viewOf(picture, shown, variation(picture.name, config));
    } catch (error) {
      if (error instanceof InputError && error.code === "image.tooSmall") return undefined;
      throw error;
    }
  };
}

function variation(name: string, config: TrainingConfig): TrainingView["varies"] {
  const followsFace = config.face_crop_aug_range !== "" && !config.enable_bucket && faceBoxOf(name) !== undefined;
  if (followsFace) return "aroundFace";
  return config.random_crop ? "anywhere" : undefined;
}

function viewOf(
  picture: SeenPicture, { resized, left, top, size }: CropWindow, varies: TrainingView["varies"],
): TrainingView {
  const whole = picture.crop ?? { x: 0, y: 0, width: picture.width, height: picture.height };
  // From pixels of the resized crop to those of the shown picture.
  const [sx, sy] = [whole.width / resized[0], whole.height / resized[1]];
  const start = picture.isMirrored ? resized[0] - left - size[0] : left;
  const seen: SeenArea = {
    x: whole.x + start * sx, y: whole.y + top * sy, width: size[0] * sx, height: size[1] * sy,
  };
  return {
    bucket: size,
    seen,
    cut: {
      left: Math.round(seen.x - whole.x),
      right: Math.round(whole.x + whole.width - seen.x - seen.width),
      top: Math.round(seen.y - whole.y),
      bottom: Math.round(whole.y + whole.height - seen.y - seen.height),
    },
    scale: Math.max(1 / sx, 1 / sy),
    varies,
  };
}
