import { InputError } from "../errors.ts";
import type { GenerationRequest } from "./request.ts";

/** Pixels of a picture for each latent. */
export const latentScale = 8;
export const smallestSide = 64;
export const largestCfg = 100;

/**
 * Refuses what no model and no GPU can do. The number of steps is checked by the schedules.
 * @throws InputError `generation.size`, `generation.cfg`, `generation.seed`
 */
export function checkRequest({ width, height, cfg, seed }: Omit<GenerationRequest, "prompt" | "negative">): void {
  const isSide = (side: number): boolean => Number.isInteger(side) && side >= smallestSide && side % latentScale === 0;
  if (!isSide(width) || !isSide(height)) {
    const message = `The size is ${width}x${height}; both sides must be multiples of ${latentScale}, from ${smallestSide} up.`;
    throw new InputError("generation.size", message, { width, height, multiple: latentScale, least: smallestSide });
  }
  if (!(cfg >= 0 && cfg <= largestCfg)) {
    const message = `The CFG scale is ${cfg}; give a number from 0 to ${largestCfg}.`;
    throw new InputError("generation.cfg", message, { cfg, most: largestCfg });
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    const message = `The seed is ${seed}; give a whole number from 0 to ${Number.MAX_SAFE_INTEGER}.`;
    throw new InputError("generation.seed", message, { seed, most: Number.MAX_SAFE_INTEGER });
  }
}
