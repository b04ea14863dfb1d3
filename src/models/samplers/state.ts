/** Latents on their way from noise to a picture, any shape, flat. Float64 in tests, Float32 in the app. */
export type LatentState = Float32Array | Float64Array;

/** Σ factor·array, element by element, in double precision; the result is stored as the first array is. */
export function weightedSum(first: Term, ...others: readonly Term[]): LatentState {
  const [factor, array] = first;
  const out = array.slice();
  for (let i = 0; i < out.length; i++) {
    let sum = factor * array[i]!;
    for (const [otherFactor, other] of others) sum += otherFactor * other[i]!;
    out[i] = sum;
  }
  return out;
}

type Term = readonly [factor: number, array: LatentState];
