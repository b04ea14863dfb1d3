import type { NoiseSchedule, Prediction } from "./noise-schedule.ts";

/**
 * Factor of each sample's mean loss. Min-SNR (Hang et al. 2023) keeps the nearly clean steps from outweighing the
 * others: min(SNR, γ)/SNR, and over SNR + 1 when v is predicted. Without γ all are 1.
 * @param timesteps [B]
 * @returns [B]
 */
export function lossWeights(
  schedule: NoiseSchedule, timesteps: ArrayLike<number>, prediction: Prediction, minSnrGamma: number | null,
): Float32Array<ArrayBuffer> {
  return Float32Array.from(timesteps, (t) => {
    if (minSnrGamma === null) return 1;
    const snr = schedule.snr[t]!;
    return Math.min(snr, minSnrGamma) / (prediction === "v" ? snr + 1 : snr);
  });
}
