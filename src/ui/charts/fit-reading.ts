/** What the validation curve beside the training loss says: whether the LoRA still learns, or learns its pictures by heart. */

export interface Validation {
  readonly step: number;
  readonly loss: number;
}

export type Fit =
  /** New pictures still get better. */
  | "falling"
  /** They neither get better nor worse. */
  | "level"
  /** They get worse while the pictures that are trained on get better. */
  | "overfitting"
  /** Both get worse. */
  | "diverging"
  /** Neither has moved since the beginning. */
  | "underfitting";

export interface FitReading {
  readonly fit: Fit;
  /** Of the lowest validation loss. */
  readonly bestStep: number;
}

/** Validations below this tell no direction. */
const fewest = 3;
/** Relative changes below this are level: what is tested with fixed noise hardly scatters. */
const notable = 0.01;

/**
 * @param validations by rising step
 * @param training the smoothed training loss of a step; undefined where none is known
 */
export function readFit(validations: readonly Validation[], training: (step: number) => number | undefined): FitReading | undefined {
  const last = validations.at(-1);
  if (validations.length < fewest || last === undefined) return undefined;
  const first = validations[0]!;
  const best = validations.reduce((a, b) => (b.loss < a.loss ? b : a));
  const trained = change(training(best.step), training(last.step));
  const bestStep = best.step;
  if (change(best.loss, last.loss) > notable) return { fit: trained > notable ? "diverging" : "overfitting", bestStep };
  const sinceFirst = change(first.loss, last.loss);
  if (sinceFirst > -notable) {
    const moved = Math.abs(change(training(first.step), training(last.step))) > notable;
    return { fit: moved ? "level" : "underfitting", bestStep };
  }
  const before = validations.at(-fewest)!;
  return { fit: change(before.loss, last.loss) < -notable ? "falling" : "level", bestStep };
}

function change(from: number | undefined, to: number | undefined): number {
  return from === undefined || to === undefined ? 0 : (to - from) / from;
}
