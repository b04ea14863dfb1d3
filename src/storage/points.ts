/** The loss history as rows of numbers: compact to store, cheap to append, easy to cut. */
import type { StepReport } from "../training/events.ts";

/** step, epoch, loss, gradNorm, unet lr, text encoder lr, stepMs; an absent rate is NaN. */
export const pointWidth = 7;
/** Rows in one stored record. */
export const pointsPerChunk = 256;

export function packPoint(report: StepReport): readonly number[] {
  const { step, epoch, loss, gradNorm, lr, stepMs } = report;
  return [step, epoch, loss, gradNorm, lr.unet ?? Number.NaN, lr.textEncoder ?? Number.NaN, stepMs];
}

/** Rows back to reports. Totals are the run's own and are not repeated in every row. */
export function unpackPoints(
  values: Float64Array,
  totals: { readonly totalSteps: number; readonly totalEpochs: number },
): StepReport[] {
  const reports: StepReport[] = [];
  for (let row = 0; row + pointWidth <= values.length; row += pointWidth) {
    const [step, epoch, loss, gradNorm, unet, textEncoder, stepMs] = values.subarray(row, row + pointWidth);
    reports.push({
      step: step!,
      epoch: epoch!,
      loss: loss!,
      gradNorm: gradNorm!,
      lr: { ...(Number.isNaN(unet) ? {} : { unet: unet! }), ...(Number.isNaN(textEncoder) ? {} : { textEncoder: textEncoder! }) },
      stepMs: stepMs!,
      ...totals,
    });
  }
  return reports;
}

/** The rows up to and including `step`. Steps are consecutive and rise. */
export function rowsUpTo(values: Float64Array, step: number): Float64Array {
  let end = values.length;
  while (end > 0 && values[end - pointWidth]! > step) end -= pointWidth;
  return values.slice(0, end);
}

export function concatRows(parts: readonly (Float64Array | readonly number[])[]): Float64Array {
  const joined = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
