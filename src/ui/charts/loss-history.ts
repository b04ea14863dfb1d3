/**
 * The loss curve of one run, outside of Svelte's reactivity: appended at any rate, drawn when the screen is.
 * Bounded: when full, neighbours are averaged in pairs, so the whole run stays visible at half the resolution.
 */

import { readFit, type FitReading, type Validation } from "./fit-reading.ts";

const maxPoints = 8192;

export interface LossTrend {
  readonly step: number;
  readonly smoothed: number;
  /** Relative change over the last `overSteps` steps; absent before there are enough. */
  readonly change?: number;
  readonly overSteps?: number;
}

export class LossHistory {
  readonly #steps: number[] = [];
  readonly #losses: number[] = [];
  readonly #smoothed: number[] = [];
  #validations: Validation[] = [];
  /** Updates averaged into one point. */
  #stride = 1;
  #pendingSum = 0;
  #pendingCount = 0;
  #smoothing: number;
  #version = 0;

  /** `smoothing` in [0, 1): the share of the old value in the moving average, per point. */
  constructor(smoothing: number) {
    this.#smoothing = smoothing;
  }

  /** Changes with every change of the data. */
  get version(): number {
    return this.#version;
  }

  get length(): number {
    return this.#steps.length;
  }

  /** Steps, losses and smoothed losses, as uPlot takes them. Not copies. */
  get columns(): [number[], number[], number[]] {
    return [this.#steps, this.#losses, this.#smoothed];
  }

  /** The loss of pictures that are held out, at the first point from its step on; null elsewhere. Beside `columns`. */
  get validation(): (number | null)[] {
    const column = this.#steps.map((): number | null => null);
    for (const { step, loss } of this.#validations) {
      const at = this.#at(step);
      if (at !== undefined) column[at] = loss;
    }
    return column;
  }

  get hasValidation(): boolean {
    return this.#validations.length > 0;
  }

  get smoothing(): number {
    return this.#smoothing;
  }

  set smoothing(smoothing: number) {
    this.#smoothing = smoothing;
    this.#smoothed.length = 0;
    for (const loss of this.#losses) this.#smooth(loss);
    this.#version += 1;
  }

  append(step: number, loss: number): void {
    this.#pendingSum += loss;
    this.#pendingCount += 1;
    if (this.#pendingCount < this.#stride) return;
    const mean = this.#pendingSum / this.#pendingCount;
    this.#steps.push(step);
    this.#losses.push(mean);
    this.#smooth(mean);
    this.#pendingSum = 0;
    this.#pendingCount = 0;
    this.#version += 1;
    if (this.#steps.length >= maxPoints) this.#halve();
  }

  /** A validation is told before the loss of its step. */
  validate(step: number, loss: number): void {
    this.#validations = [...this.#validations.filter((known) => known.step < step), { step, loss }];
    this.#version += 1;
  }

  /** What the two curves say together; undefined while there are too few validations. */
  fit(): FitReading | undefined {
    return readFit(this.#validations, (step) => {
      const at = this.#at(step) ?? this.#steps.length - 1;
      return this.#smoothed[at];
    });
  }

  /** The first point from `step` on. */
  #at(step: number): number | undefined {
    let [low, high] = [0, this.#steps.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#steps[middle]! < step) low = middle + 1;
      else high = middle;
    }
    return low < this.#steps.length ? low : undefined;
  }

  /** Forgets what came after `step`. */
  cut(step: number): void {
    this.#validations = this.#validations.filter((known) => known.step <= step);
    let length = this.#steps.length;
    while (length > 0 && this.#steps[length - 1]! > step) length -= 1;
    for (const column of this.columns) column.length = length;
    this.#pendingSum = 0;
    this.#pendingCount = 0;
    this.#version += 1;
  }

  clear(): void {
    this.cut(Number.NEGATIVE_INFINITY);
    this.#stride = 1;
  }

  /** Where the smoothed loss is and where it goes; undefined while there is nothing. */
  trend(): LossTrend | undefined {
    const last = this.#steps.length - 1;
    if (last < 0) return undefined;
    const now = { step: this.#steps[last]!, smoothed: this.#smoothed[last]! };
    const back = Math.min(200, Math.floor(last / 2));
    if (back < 10) return now;
    const before = this.#smoothed[last - back]!;
    return { ...now, change: (now.smoothed - before) / before, overSteps: now.step - this.#steps[last - back]! };
  }

  #smooth(loss: number): void {
    const before = this.#smoothed.at(-1);
    this.#smoothed.push(before === undefined ? loss : before * this.#smoothing + loss * (1 - this.#smoothing));
  }

  #halve(): void {
    const half = Math.floor(this.#steps.length / 2);
    for (let i = 0; i < half; i += 1) {
      this.#steps[i] = this.#steps[2 * i + 1]!;
      this.#losses[i] = (this.#losses[2 * i]! + this.#losses[2 * i + 1]!) / 2;
      this.#smoothed[i] = this.#smoothed[2 * i + 1]!;
    }
    for (const column of this.columns) column.length = half;
    this.#stride *= 2;
  }
}
