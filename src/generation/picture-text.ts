/** Between requests and the webui's "parameters" text in a picture. */
import { samplerLabels, type SamplerName, samplerNames, type ScheduleChoice, scheduleLabels } from "../config/sampling.ts";
import { type Infotext, formatInfotext, parseInfotext } from "../formats/infotext.ts";
import { extractExtraNetworks, readLora } from "../text/prompt/extra-networks.ts";
import type { GridAxisKind, GridHeading, GridPlan } from "./grid.ts";
import type { AdapterWeight, GeneratedPicture, GenerationRequest } from "./request.ts";

/** What a text says that this program knows; the rest is for the page to leave as it is. */
export interface RecalledSettings {
  readonly request: Partial<GenerationRequest>;
  /** Base model's name, where given. */
  readonly model?: string;
  /** Names of LoRAs that were used, with their hashes. */
  readonly loraHashes: Readonly<Record<string, string>>;
}

/** What the picture itself does not know. */
export interface PictureOrigin {
  readonly model: { readonly name: string; readonly hash?: string };
  readonly vae?: string;
  /** Of adapters by name, where known. */
  readonly adapterHashes: ReadonlyMap<string, string>;
  /** This program and its version. */
  readonly program: string;
}

/** The text that the webui would write. It alone gives the same picture: see `promptWithAdapters`. */
export function describePicture(picture: Omit<GeneratedPicture, "rgba">, origin: PictureOrigin): string {
  const { request, adapters } = picture;
  const { sampler, schedule, steps, cfg, seed, width, height, clipSkip } = request;
  const hashes = adapters.flatMap(({ name }) => {
    const hash = origin.adapterHashes.get(name);
    return hash === undefined ? [] : [`${name}: ${hash}`];
  });
  const fields: [string, string | undefined][] = [
    ["Steps", String(steps)],
    ["Sampler", samplerLabels[sampler]],
    ["Schedule type", scheduleLabels[schedule]],
    ["CFG scale", String(cfg)],
    ["Seed", String(seed)],
    ["Size", `${width}x${height}`],
    ["Model hash", origin.model.hash],
    ["Model", origin.model.name],
    ["VAE", origin.vae],
    ["Clip skip", clipSkip > 1 ? String(clipSkip) : undefined],
    ["Lora hashes", hashes.length === 0 ? undefined : hashes.join(", ")],
    ["Version", origin.program],
  ];
  return formatInfotext({
    prompt: promptWithAdapters(picture),
    negative: request.negative,
    fields: fields.filter((field): field is [string, string] => field[1] !== undefined),
  });
}

/** The webui's names of a grid's axes, where it has them. */
const axisTypes: Readonly<Record<GridAxisKind, string>> = {
  adapter: "Lora", weight: "Lora weight", prompt: "Prompt S/R", sampler: "Sampler", seed: "Seed", steps: "Steps", cfg: "CFG Scale",
};

/** The text of a whole grid, from that of its first picture. */
export function describeGrid(first: string, { columns, rows }: GridPlan): string {
  const infotext = parseInfotext(first);
  const axis = (name: "X" | "Y", { kind, labels }: GridHeading): [string, string][] => [
    [`${name} Type`, axisTypes[kind]],
    [`${name} Values`, labels.map((label) => (/[,"]/.test(label) ? `"${label.replaceAll('"', '""')}"` : label)).join(", ")],
  ];
  const script: [string, string][] = [
    ["Script", "X/Y/Z plot"], ...axis("X", columns), ...(rows === undefined ? [] : axis("Y", rows)),
  ];
  return formatInfotext({ ...infotext, fields: [...infotext.fields, ...script] });
}

/**
 * The prompt as typed, and behind it tags for what acted without one: an adapter's weight less that of its own tags.
 * Tags of the same name add up.
 */
export function promptWithAdapters({ request, adapters }: Pick<GeneratedPicture, "request" | "adapters">): string {
  const tagged = extractExtraNetworks(request.prompt).networks.flatMap((network) => readLora(network) ?? []);
  const names = new Set([...adapters, ...tagged].map(({ name }) => name));
  const missing = [...names].flatMap((name) => {
    const sum = (list: readonly AdapterWeight[], side: "unet" | "textEncoder"): number =>
      list.reduce((total, one) => total + (one.name === name ? one[side] : 0), 0);
    const rest = (side: "unet" | "textEncoder"): number => Number((sum(adapters, side) - sum(tagged, side)).toPrecision(6));
    const [unet, textEncoder] = [rest("unet"), rest("textEncoder")];
    return unet === 0 && textEncoder === 0 ? [] : [loraTag({ name, unet, textEncoder })];
  });
  return [request.prompt, ...missing].filter((part) => part !== "").join(" ");
}

function loraTag({ name, unet, textEncoder }: AdapterWeight): string {
  return unet === textEncoder ? `<lora:${name}:${unet}>` : `<lora:${name}:${textEncoder}:${unet}>`;
}

/** Reads such a text, also of other programs. @returns undefined where nothing in it is known */
export function recallSettings(text: string): RecalledSettings | undefined {
  const infotext = parseInfotext(text);
  if (infotext.fields.length === 0 && infotext.prompt === "") return undefined;
  const fields = new Map(infotext.fields);
  const model = fields.get("Model");
  const hashes = (fields.get("Lora hashes") ?? "").matchAll(/([^,:]+):\s*(\w+)/g);
  return {
    request: recallRequest(infotext, fields),
    ...(model === undefined ? {} : { model }),
    loraHashes: Object.fromEntries([...hashes].map(([, name, hash]) => [name!.trim(), hash!])),
  };
}

function recallRequest({ prompt, negative }: Infotext, fields: ReadonlyMap<string, string>): Partial<GenerationRequest> {
  const number = (key: string, isValid: (value: number) => boolean): number | undefined => {
    const value = Number(fields.get(key)?.trim() || Number.NaN);
    return isValid(value) ? value : undefined;
  };
  const natural = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
  const positive = (value: number): boolean => natural(value) && value > 0;
  const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(fields.get("Size") ?? "") ?? [];
  const found = {
    ...recallSampler(fields.get("Sampler") ?? "", fields.get("Schedule type")),
    steps: number("Steps", positive),
    cfg: number("CFG scale", (value) => value >= 0),
    seed: number("Seed", natural),
    width: width === undefined ? undefined : Number(width),
    height: height === undefined ? undefined : Number(height),
  };
  const known = Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
  // The webui leaves out a clip skip of 1.
  return { prompt, negative, ...known, clipSkip: number("Clip skip", positive) ?? 1 };
}

/** Texts before version 1.9 of the webui have the schedule in the sampler's name: `DPM++ 2M Karras`. */
function recallSampler(text: string, scheduleText: string | undefined): { sampler?: SamplerName; schedule?: ScheduleChoice } {
  const same = (a: string, b: string): boolean => a.toLowerCase() === b.trim().toLowerCase();
  const sampler = samplerNames.find((name) => same(samplerLabels[name], text.replace(/ (karras|exponential)$/i, "")));
  const [, suffix] = / (karras|exponential)$/i.exec(text) ?? [];
  const schedule = Object.entries(scheduleLabels).find(([, label]) => same(label, scheduleText ?? suffix ?? ""))?.[0];
  return {
    ...(sampler === undefined ? {} : { sampler }),
    ...(schedule === undefined ? {} : { schedule: schedule as ScheduleChoice }),
  };
}
