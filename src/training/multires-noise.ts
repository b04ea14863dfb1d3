/**
 * Multires noise: coarser and coarser noise on top of the ordinary, scaled back to unit variance at the end, which lets
 * a model change large areas (Whitaker 2023, "Multi-resolution noise for diffusion model training"). As in sd-scripts.
 */

/** A coarser map of N(0, 1) samples, [B, height, width, C]. */
export interface NoiseLevel {
  readonly height: number;
  readonly width: number;
  readonly samples: Float32Array;
}

export interface MapShape {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/**
 * Sizes of the levels: level i is smaller by rᵢⁱ with rᵢ = 2 + 2·u, drawn anew each time, so sizes need not fall
 * steadily and level 0 has full size. The first that is one cell high or wide is the last.
 * @param draws U[0, 1) samples, one for each level at most
 */
export function levelSizes(height: number, width: number, draws: ArrayLike<number>): { height: number; width: number }[] {
  const sizes: { height: number; width: number }[] = [];
  for (let i = 0; i < draws.length; i++) {
    const shrink = (draws[i]! * 2 + 2) ** i;
    const size = { height: Math.max(1, Math.trunc(height / shrink)), width: Math.max(1, Math.trunc(width / shrink)) };
    sizes.push(size);
    if (size.height === 1 || size.width === 1) break;
  }
  return sizes;
}

/**
 * Adds the levels to the noise, in place, each weaker than the one before by `discount`, and divides by the standard
 * deviation of all samples of the batch together.
 * @param noise [B, H, W, C]
 */
export function addLevels(noise: Float32Array, shape: MapShape, levels: readonly NoiseLevel[], discount: number): void {
  levels.forEach((level, i) => addEnlarged(noise, shape, level, discount ** i));
  const deviation = standardDeviation(noise);
  for (let i = 0; i < noise.length; i++) noise[i] = noise[i]! / deviation;
}

/** Bilinear, with the corners of cells (not their centres) on each other, as torch's Upsample does by default. */
function addEnlarged(noise: Float32Array, { batch, height, width, channels }: MapShape, level: NoiseLevel, factor: number): void {
  const rows = taps(height, level.height);
  const columns = taps(width, level.width);
  for (let b = 0; b < batch; b++) {
    for (let y = 0; y < height; y++) {
      const row = rows[y]!;
      const upper = (b * level.height + row.first) * level.width;
      const lower = (b * level.height + row.second) * level.width;
      for (let x = 0; x < width; x++) {
        const column = columns[x]!;
        for (let c = 0; c < channels; c++) {
          const at = (start: number): number => {
            const left = level.samples[(start + column.first) * channels + c]!;
            const right = level.samples[(start + column.second) * channels + c]!;
            return left + (right - left) * column.share;
          };
          const top = at(upper);
          const i = ((b * height + y) * width + x) * channels + c;
          noise[i] = noise[i]! + factor * (top + (at(lower) - top) * row.share);
        }
      }
    }
  }
}

/** For each cell of the large side the two of the small side that it lies between, and the second one's share. */
function taps(large: number, small: number): { first: number; second: number; share: number }[] {
  return Array.from({ length: large }, (_, i) => {
    const position = Math.max(0, ((i + 0.5) * small) / large - 0.5);
    const first = Math.min(Math.floor(position), small - 1);
    return { first, second: Math.min(first + 1, small - 1), share: position - first };
  });
}

/** Of a sample (divided by n − 1). */
function standardDeviation(samples: Float32Array): number {
  const mean = samples.reduce((sum, value) => sum + value, 0) / samples.length;
  const squares = samples.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / (samples.length - 1));
}
