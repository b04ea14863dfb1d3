/** Phases and steps of a run: one line that moves on a terminal, plain lines elsewhere. */
import { duration, live, mebibytes, say } from "./terminal.ts";
import type { Phase, PhaseProgress, SamplingEvent, StepReport } from "../training/events.ts";

const phaseNames: Readonly<Record<Phase, string>> = {
  load: "Loading weights",
  cacheLatents: "Encoding pictures",
  cacheText: "Encoding captions",
  compile: "Compiling shaders",
  train: "Training",
  save: "Saving",
};

const barWidth = 24;
/** Plain lines come at most this often. */
const lineEveryMs = 1000;
/** Weight of the newest step in the smoothed time per step. */
const paceWeight = 0.2;

export class Progress {
  readonly #isTerminal: boolean;
  #phase: Phase | undefined;
  #lastLineAt = -Infinity;
  #stepMs: number | undefined;

  constructor(isTerminal = process.stderr.isTTY === true) {
    this.#isTerminal = isTerminal;
  }

  phase({ phase, done, total }: PhaseProgress): void {
    const isNew = phase !== this.#phase;
    this.#phase = phase;
    // Training has its own lines, with more in them.
    if (phase === "train" && done > 0) return;
    const amount = phase === "load" ? `${mebibytes(done)} of ${mebibytes(total)}` : `${done} of ${total}`;
    if (this.#isTerminal) live(`${phaseNames[phase]} ${bar(done, total)} ${amount}`);
    else if (isNew) say(phaseNames[phase]);
  }

  sampling(event: SamplingEvent): void {
    if (event.kind !== "progress" || !this.#isTerminal) return;
    live(`Sample ${event.index + 1} of step ${event.step} ${bar(event.done, event.total)} ${event.done} of ${event.total}`);
  }

  step(report: StepReport): void {
    this.#stepMs = this.#stepMs === undefined ? report.stepMs : this.#stepMs + paceWeight * (report.stepMs - this.#stepMs);
    const text = stepText(report, this.#stepMs);
    if (this.#isTerminal) return live(`${bar(report.step, report.totalSteps)} ${text}`);
    const now = performance.now();
    const isEnd = report.step === report.totalSteps;
    if (isEnd || now - this.#lastLineAt >= lineEveryMs) {
      this.#lastLineAt = now;
      say(text);
    }
  }
}

/** e.g. `step 12/400  epoch 1/10  loss 0.1432  lr 1.0e-4  0.82 s/step  ETA 5:19` */
export function stepText(report: StepReport, stepMs: number): string {
  const { step, totalSteps, epoch, totalEpochs, loss, lr, norms } = report;
  const rates = [...new Set([lr.unet, lr.textEncoder].filter((rate) => rate !== undefined))];
  return [
    `step ${step}/${totalSteps}`,
    `epoch ${epoch}/${totalEpochs}`,
    `loss ${loss.toFixed(4)}`,
    `lr ${rates.map((rate) => rate.toExponential(1)).join(" ")}`,
    ...(norms === undefined ? [] : [`scaled ${norms.scaled} (norms ${norms.mean.toPrecision(2)}, at most ${norms.largest.toPrecision(2)})`]),
    `${(stepMs / 1000).toFixed(2)} s/step`,
    `ETA ${duration(((totalSteps - step) * stepMs) / 1000)}`,
  ].join("  ");
}

export function bar(done: number, total: number): string {
  const filled = Math.round((barWidth * done) / Math.max(1, total));
  return `[${"#".repeat(filled)}${"-".repeat(barWidth - filled)}]`;
}
