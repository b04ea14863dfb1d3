import type { TrainingConfig } from "../config/parameters.ts";
import type { RgbImage, RgbaImage } from "./image.ts";
import { resizeArea } from "./resize-area.ts";
import { resizeCv } from "./resize-cv.ts";
import { resizePil } from "./resize-pil.ts";

/** Colours as they are stored under the alpha channel; nothing is composited, as in PIL's `convert("RGB")`. */
export function dropAlpha(image: RgbaImage): RgbImage {
  const pixels = image.width * image.height;
  const data = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) {
    data[i * 3] = image.data[i * 4]!;
    data[i * 3 + 1] = image.data[i * 4 + 1]!;
    data[i * 3 + 2] = image.data[i * 4 + 2]!;
  }
  return { width: image.width, height: image.height, data };
}

export type ResizeKernel = NonNullable<TrainingConfig["resize_interpolation"]>;

/** Whether a side that grows, or the kernel itself, makes it Lanczos. */
export function resizesByLanczos(image: Pick<RgbImage, "width" | "height">, width: number, height: number, kernel: ResizeKernel | null): boolean {
  return (kernel ?? (width <= image.width && height <= image.height ? "area" : "lanczos")) === "lanczos";
}

/** @param kernel where null, sd-scripts' choice: area averaging where no side grows, Lanczos otherwise */
export function resize(image: RgbImage, width: number, height: number, kernel: ResizeKernel | null = null): RgbImage {
  if (width === image.width && height === image.height) return image;
  const shrinks = width <= image.width && height <= image.height;
  switch (kernel ?? (shrinks ? "area" : "lanczos")) {
    case "area":
      return shrinks ? resizeArea(image, width, height) : resizeCv(image, width, height, "area");
    case "lanczos":
      return resizePil(image, width, height, "lanczos");
    case "nearest":
      return resizeCv(image, width, height, "nearest");
    case "bilinear":
    case "linear":
      // OpenCV takes the mean of four pixels where both sides are halved.
      return image.width === 2 * width && image.height === 2 * height ? resizeArea(image, width, height) : resizeCv(image, width, height, "linear");
    case "bicubic":
    case "cubic":
      return resizeCv(image, width, height, "cubic");
  }
}
