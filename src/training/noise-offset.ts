/** Noise offset: noise that shifts a channel of a sample as a whole, which teaches a model overall brightness. */

/**
 * How strongly each channel of each sample is shifted: `strength`, with `scale` more by how far the channel's mean is
 * from 0, never below 0.
 * @param latents [B, H, W, C]
 * @param scale `adaptive_noise_scale`; null is off
 * @returns [B, C]
 */
export function offsetStrengths(
  latents: Float32Array, batch: number, channels: number, strength: number, scale: number | null,
): Float64Array {
  const strengths = new Float64Array(batch * channels).fill(strength);
  if (scale === null) return strengths;
  const cells = latents.length / (batch * channels);
  const sums = new Float64Array(batch * channels);
  for (let i = 0; i < latents.length; i++) {
    const at = Math.floor(i / (cells * channels)) * channels + (i % channels);
    sums[at] = sums[at]! + latents[i]!;
  }
  return strengths.map((value, i) => Math.max(0, value + scale * Math.abs(sums[i]! / cells)));
}

/**
 * Shifts each channel of each sample by strength·shift, in place.
 * @param noise [B, H, W, C]
 * @param shifts N(0, 1) samples [B, C]
 * @param strengths [B, C]
 */
export function offsetNoise(noise: Float32Array, shifts: Float32Array, strengths: Float64Array, channels: number): void {
  const perSample = noise.length / (shifts.length / channels);
  for (let i = 0; i < noise.length; i++) {
    const at = Math.floor(i / perSample) * channels + (i % channels);
    noise[i] = noise[i]! + strengths[at]! * shifts[at]!;
  }
}
