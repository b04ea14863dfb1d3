/**
 * Attention on the text encoder's output, as the webui's "Original": each token's vector is multiplied by its weight,
 * then everything so that the mean is what it was.
 * @param hidden [tokens, channels] of one chunk
 * @param weights [tokens]
 * @param keepMean false for the webui's "No norm"
 */
export function applyEmphasis(hidden: Float32Array, weights: Float32Array, keepMean = true): Float32Array<ArrayBuffer> {
  const channels = hidden.length / weights.length;
  const scaled = Float32Array.from(hidden, (value, i) => value * weights[Math.floor(i / channels)]!);
  if (!keepMean || weights.every((weight) => weight === 1)) return scaled;
  const factor = sum(hidden) / sum(scaled);
  // Means of 0 leave nothing to restore.
  return Number.isFinite(factor) ? scaled.map((value) => value * factor) : scaled;
}

function sum(values: Float32Array): number {
  return values.reduce((total, value) => total + value, 0);
}
