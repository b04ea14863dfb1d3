/** Samples of a run as a wall: a row for each prompt, a column for each step. Plain arithmetic over what has come. */
import type { SampleRecord } from "../../storage/database.ts";
import type { SamplingEvent } from "../../workers/train-protocol.ts";

/** Samples that are being made. */
export interface SamplingNow {
  readonly step: number;
  readonly epoch: number | undefined;
  readonly prompts: readonly { readonly index: number; readonly prompt: string }[];
  /** Of the prompt whose picture is in progress. */
  readonly index: number | undefined;
  /** Of that picture, 0 to 1. */
  readonly share: number;
}

export interface WallRow {
  readonly index: number;
  readonly prompt: string;
}

export interface WallColumn {
  readonly step: number;
  readonly epoch: number | undefined;
}

export type WallCell =
  | { readonly kind: "picture"; readonly sample: SampleRecord }
  | { readonly kind: "drawing"; readonly share: number }
  | { readonly kind: "waiting" }
  | { readonly kind: "none" };

export interface Wall {
  readonly rows: readonly WallRow[];
  /** By step; the base model first. */
  readonly columns: readonly WallColumn[];
}

/** What an event makes of the samples in progress. */
export function followSampling(now: SamplingNow | undefined, event: SamplingEvent): SamplingNow | undefined {
  switch (event.kind) {
    case "begin":
      return { step: event.step, epoch: event.epoch, prompts: event.prompts, index: event.prompts[0]?.index, share: 0 };
    case "progress":
      return now && { ...now, index: event.index, share: event.done / Math.max(1, event.total) };
    case "end":
      return undefined;
    default:
      return event satisfies never;
  }
}

/** The newer picture of a step and prompt takes the older one's place. */
export function addSample(samples: readonly SampleRecord[], sample: SampleRecord): SampleRecord[] {
  const others = samples.filter(({ step, index }) => step !== sample.step || index !== sample.index);
  return [...others, sample].toSorted((a, b) => a.step - b.step || a.index - b.index);
}

export function layoutWall(samples: readonly SampleRecord[], now: SamplingNow | undefined): Wall {
  const rows = new Map<number, WallRow>();
  const columns = new Map<number, WallColumn>();
  for (const { index, prompt, step, epoch } of samples) {
    rows.set(index, { index, prompt });
    columns.set(step, { step, epoch });
  }
  if (now !== undefined) {
    for (const { index, prompt } of now.prompts) rows.set(index, { index, prompt });
    columns.set(now.step, { step: now.step, epoch: now.epoch });
  }
  return {
    rows: [...rows.values()].toSorted((a, b) => a.index - b.index),
    columns: [...columns.values()].toSorted((a, b) => a.step - b.step),
  };
}

export function wallCell(samples: readonly SampleRecord[], now: SamplingNow | undefined, index: number, step: number): WallCell {
  const isNow = now?.step === step && now.prompts.some((prompt) => prompt.index === index);
  if (isNow && now.index === index) return { kind: "drawing", share: now.share };
  const sample = samples.find((candidate) => candidate.index === index && candidate.step === step);
  if (sample !== undefined) return { kind: "picture", sample };
  return { kind: isNow ? "waiting" : "none" };
}

/** The next picture from one in a direction; where there is none, the same. */
export function neighbour(samples: readonly SampleRecord[], from: SampleRecord, across: -1 | 0 | 1, down: -1 | 0 | 1): SampleRecord {
  const along = samples.filter(({ index, step }) => (across === 0 ? step === from.step : index === from.index));
  const at = along.findIndex(({ index, step }) => index === from.index && step === from.step);
  return along[at + across + down] ?? from;
}

/** What the base model made of the same prompt. */
export function baseOf(samples: readonly SampleRecord[], { index, step }: SampleRecord): SampleRecord | undefined {
  return step === 0 ? undefined : samples.find((other) => other.step === 0 && other.index === index);
}

/** As sd-scripts names them, less the time. */
export function sampleFileName(name: string, { step, epoch, index, seed }: SampleRecord): string {
  const digits = (value: number, count: number): string => String(value).padStart(count, "0");
  const moment = epoch === undefined ? digits(step, 6) : `e${digits(epoch, 6)}`;
  return `${name}_${moment}_${digits(index, 2)}_${seed}.png`;
}
