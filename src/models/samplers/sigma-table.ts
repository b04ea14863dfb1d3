/**
 * The noise levels that Stable Diffusion knows, in the units of k-diffusion: x = x0 + σ·noise, σ_t = √((1−ᾱ_t)/ᾱ_t).
 * Float64 throughout; β runs from 0.00085 to 0.012, linear in √β, over 1000 training steps.
 */
export const TIMESTEPS = 1000;
const ROOT_FIRST = Math.sqrt(0.00085);
const ROOT_LAST = Math.sqrt(0.012);

export interface SigmaTable {
  /** ᾱ_t, [1000], falling. */
  readonly alphasCumprod: Float64Array;
  /** σ_t, [1000], rising from 0.0292 to 14.61. */
  readonly sigmas: Float64Array;
}

/** The table of every SD1, SD2 and SDXL model that was not made for zero terminal SNR. */
export const sigmaTable: SigmaTable = createSigmaTable();

function createSigmaTable(): SigmaTable {
  let product = 1;
  const alphasCumprod = Float64Array.from({ length: TIMESTEPS }, (_, t) => {
    const root = ROOT_FIRST + ((ROOT_LAST - ROOT_FIRST) * t) / (TIMESTEPS - 1);
    product *= 1 - root * root;
    return product;
  });
  return { alphasCumprod, sigmas: alphasCumprod.map((alpha) => Math.sqrt((1 - alpha) / alpha)) };
}

/** σ at a timestep, which may lie between two entries of the table: log σ is interpolated. */
export function sigmaOfTimestep(timestep: number): number {
  const { sigmas } = sigmaTable;
  const low = Math.min(Math.max(Math.floor(timestep), 0), TIMESTEPS - 1);
  const share = timestep - low;
  if (share <= 0 || low === TIMESTEPS - 1) return sigmas[low]!;
  return Math.exp((1 - share) * Math.log(sigmas[low]!) + share * Math.log(sigmas[low + 1]!));
}

/** The timestep at which a model meets noise level σ: fractional, and 0 or 999 for a σ outside the table. */
export function timestepOfSigma(sigma: number): number {
  const { sigmas } = sigmaTable;
  let low = 0;
  let high = TIMESTEPS - 1;
  if (sigma <= sigmas[low]!) return low;
  if (sigma >= sigmas[high]!) return high;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sigmas[middle]! <= sigma) low = middle;
    else high = middle;
  }
  const lowLog = Math.log(sigmas[low]!);
  return low + (Math.log(sigma) - lowLog) / (Math.log(sigmas[high]!) - lowLog);
}
