/** Float64 scalar functions for the ops' reference implementations. */

/** Error function to about 1e-15: Taylor series near zero, continued fraction of erfc in the tails. */
export function erf(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 200; n++) {
      term *= (-x * x) / n;
      const next = term / (2 * n + 1);
      sum += next;
      if (Math.abs(next) < 1e-17 * Math.abs(sum)) break;
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = magnitude;
  for (let k = 80; k >= 1; k--) fraction = magnitude + k / 2 / fraction;
  const erfc = Math.exp(-magnitude * magnitude) / (Math.sqrt(Math.PI) * fraction);
  return Math.sign(x) * (1 - erfc);
}

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
export const silu = (x: number): number => x * sigmoid(x);
export const siluDerivative = (x: number): number => sigmoid(x) * (1 + x * (1 - sigmoid(x)));

export const gelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));
export const geluDerivative = (x: number): number =>
  0.5 * (1 + erf(x / Math.SQRT2)) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);

/** CLIP's approximation of GELU, x·σ(1.702x). */
export const quickGelu = (x: number): number => x * sigmoid(1.702 * x);
export const quickGeluDerivative = (x: number): number => {
  const s = sigmoid(1.702 * x);
  return s + 1.702 * x * s * (1 - s);
};
