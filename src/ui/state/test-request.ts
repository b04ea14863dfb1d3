/** What the Test screen asks for, as its fields hold it: limits, presets of size, and the stored form. */
import * as v from "valibot";
import { samplerNames, scheduleNames } from "../../config/sampling.ts";
import type { GenerationRequest } from "../../generation/request.ts";

/** [smallest, largest, step] of the number fields. */
export const limits = {
  steps: [1, 150, 1],
  cfg: [0, 30, 0.5],
  width: [64, 2048, 8],
  height: [64, 2048, 8],
  clipSkip: [1, 12, 1],
} as const;
export type NumberKey = keyof typeof limits;

/** Brings a typed number to the nearest one that its field takes; undefined where it is no number. */
export function fitNumber(key: NumberKey, text: string): number | undefined {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) return undefined;
  const [min, max, step] = limits[key];
  const rounded = key === "cfg" ? value : Math.round(value / step) * step;
  return Math.min(max, Math.max(min, rounded));
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Square, portrait and landscape around the side that a model was made for. */
export function sizePresets(side: number): Size[] {
  const long = Math.round((side * 1.5) / 64) * 64;
  return [
    { width: side, height: side },
    { width: side, height: long },
    { width: long, height: side },
  ];
}

export function isSameSize(a: Size, b: Size): boolean {
  return a.width === b.width && a.height === b.height;
}

function whole(min: number, max: number) {
  return v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
}

/** Every value of a stored or read request that does not hold falls back on its own. */
export const requestSchema = v.object({
  prompt: v.fallback(v.string(), ""),
  negative: v.fallback(v.string(), ""),
  seed: v.fallback(whole(0, Number.MAX_SAFE_INTEGER), 1),
  steps: v.fallback(whole(limits.steps[0], limits.steps[1]), 20),
  cfg: v.fallback(v.pipe(v.number(), v.minValue(limits.cfg[0]), v.maxValue(limits.cfg[1])), 7),
  sampler: v.fallback(v.picklist(samplerNames), "euler_a"),
  schedule: v.fallback(v.picklist(["automatic", ...scheduleNames]), "automatic"),
  width: v.fallback(v.pipe(whole(limits.width[0], limits.width[1]), v.multipleOf(8)), 512),
  height: v.fallback(v.pipe(whole(limits.height[0], limits.height[1]), v.multipleOf(8)), 512),
  clipSkip: v.fallback(whole(limits.clipSkip[0], limits.clipSkip[1]), 1),
}) satisfies v.GenericSchema<unknown, GenerationRequest>;

export const suggestedRequest: GenerationRequest = v.parse(requestSchema, {});

/** Values for some fields, from wherever: they are checked when they are taken. */
export type RequestChange = { readonly [K in keyof GenerationRequest]?: unknown };

/** `change` on top of `request`, as far as its values hold. */
export function mergeRequest(request: GenerationRequest, change: RequestChange): GenerationRequest {
  const known: Record<string, unknown> = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  const merged = v.parse(requestSchema, { ...request, ...known });
  // A value that does not hold leaves what was there, rather than the general fallback.
  const entries = Object.keys(requestSchema.entries).map((key) => {
    const name = key as keyof GenerationRequest;
    const isTaken = known[name] === undefined || merged[name] === known[name];
    return [name, isTaken ? merged[name] : request[name]];
  });
  return Object.fromEntries(entries) as unknown as GenerationRequest;
}
