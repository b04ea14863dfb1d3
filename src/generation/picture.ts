/** From numbers to pixels. */
import type { LatentState } from "../models/samplers/state.ts";

/**
 * Rounds down, as the webui does.
 * @param rgb [pixels, 3], about [-1, 1]
 * @returns RGBA, opaque
 */
export function toRgba(rgb: Float32Array): Uint8ClampedArray<ArrayBuffer> {
  const pixels = rgb.length / 3;
  const rgba = new Uint8ClampedArray(pixels * 4);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) {
      const share = Math.min(1, Math.max(0, (rgb[i * 3 + c]! + 1) / 2));
      rgba[i * 4 + c] = Math.floor(share * 255);
    }
    rgba[i * 4 + 3] = 255;
  }
  return rgba;
}

/** Red, green and blue of each latent channel: a linear fit to what SD1's VAE makes of them (webui, "Approx cheap"). */
const latentColours = [
  [0.298, 0.207, 0.208],
  [0.187, 0.286, 0.173],
  [-0.158, 0.189, 0.264],
  [-0.184, -0.271, -0.473],
] as const;

/**
 * A rough picture of latent size, without the VAE.
 * @param latents [pixels, 4], at the model's scale
 */
export function previewRgba(latents: LatentState): Uint8ClampedArray<ArrayBuffer> {
  const rgb = new Float32Array((latents.length / 4) * 3);
  for (let i = 0; i < latents.length / 4; i++) {
    for (const [channel, colours] of latentColours.entries()) {
      for (const [c, factor] of colours.entries()) rgb[i * 3 + c]! += factor * latents[i * 4 + channel]!;
    }
  }
  return toRgba(rgb);
}
