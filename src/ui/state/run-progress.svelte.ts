/** How far a run is and how fast it goes. Losses, which come often, go to `history`, which is not reactive. */
import type { LogRecord } from "../../storage/database.ts";
import type { Phase, PhaseProgress, StepReport } from "../../training/events.ts";
import { LossHistory } from "../charts/loss-history.ts";
import { Pace } from "./pace.ts";

export class RunProgress {
  readonly history: LossHistory;
  readonly #pace = new Pace();
  #phase: PhaseProgress | undefined = $state.raw();
  #last: StepReport | undefined = $state.raw();
  #lastAt: number | undefined = $state();
  #stepMs: number | undefined = $state();

  constructor(smoothing: number) {
    this.history = new LossHistory(smoothing);
  }

  get phase() {
    return this.#phase;
  }
  get last() {
    return this.#last;
  }
  /** Time of the last report, in milliseconds since 1970. */
  get lastAt() {
    return this.#lastAt;
  }
  get stepMs() {
    return this.#stepMs;
  }
  get leftMs(): number | undefined {
    if (this.#last === undefined || this.#stepMs === undefined) return undefined;
    return (this.#last.totalSteps - this.#last.step) * this.#stepMs;
  }

  /** Whether the run is past a phase, of those that `order` has. */
  isPast(phase: Phase, order: readonly Phase[]): boolean {
    return this.#phase !== undefined && order.indexOf(phase) < order.indexOf(this.#phase.phase);
  }

  /** Starts over with the stored reports and log lines of a run. */
  show(reports: readonly StepReport[], entries: readonly LogRecord["entry"][]): void {
    this.history.clear();
    this.#pace.clear();
    this.#phase = undefined;
    this.#lastAt = undefined;
    this.#stepMs = undefined;
    for (const report of reports) this.history.append(report.step, report.loss);
    for (const entry of entries) this.addValidation(entry);
    this.#last = reports.at(-1);
  }

  enter(phase: PhaseProgress): void {
    this.#phase = phase;
  }

  add(reports: readonly StepReport[]): void {
    for (const report of reports) {
      this.history.append(report.step, report.loss);
      this.#pace.add(report.stepMs);
    }
    this.#last = reports.at(-1) ?? this.#last;
    this.#lastAt = Date.now();
    this.#stepMs = this.#pace.stepMs;
  }

  /** Takes the loss of a validation, which comes as a line of the log. */
  addValidation({ code, data }: LogRecord["entry"]): void {
    if (code === "train.validation") this.history.validate(Number(data?.["step"]), Number(data?.["loss"]));
  }

  /** The time until the next report says nothing about the pace. */
  interrupt(): void {
    this.#lastAt = undefined;
  }

  /** Back to an earlier step. */
  rewind(step: number): void {
    this.history.cut(step);
    this.interrupt();
    if ((this.#last?.step ?? 0) > step) this.#last = undefined;
  }
}
