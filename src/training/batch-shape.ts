import type { PixelSize } from "./latent-cache.ts";
import type { BatchShape } from "./training-plan.ts";

/** Pixels per latent cell of the VAE. */
const cell = 8;

/** @param resolution in pixels */
export function batchShape([width, height]: PixelSize, batch: number): BatchShape {
  return { height: height / cell, width: width / cell, batch };
}
