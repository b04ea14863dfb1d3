/** A preset as plain data, in links and in files. Read strictly: nothing unexpected is passed over. */
import { InputError } from "../errors.ts";
import type { ModelHint, Preset } from "./preset.ts";
import { longestPresetName } from "./preset.ts";

/** Raised when older programs could no longer read what is written. */
export const presetVersion = 1;

/** What a preset file has in place of a mark. */
const mark = "lorasmith_preset";

/** The preset's data, as short as links want it. */
export function presetData({ name, settings, model }: Preset): Readonly<Record<string, unknown>> {
  return { n: name, s: settings, ...(model === undefined ? {} : { m: { n: model.name, ...(model.hash === undefined ? {} : { h: model.hash }) } }) };
}

/** @throws InputError `preset.damaged` */
export function readPresetData(data: unknown): Preset {
  const { n, s, m, ...others } = asTable(data);
  if (Object.keys(others).length > 0) throw damaged();
  return { name: asName(n), settings: asTable(s), ...(m === undefined ? {} : { model: asModel(m) }) };
}

/** A preset as a file that people can read. */
export function writePresetFile(preset: Preset): string {
  const { n, s, m } = presetData(preset);
  return `${JSON.stringify({ [mark]: presetVersion, name: n, settings: s, ...(m === undefined ? {} : { model: m }) }, null, 2)}\n`;
}

/**
 * Reads a preset file.
 * @returns undefined where the text is something else, such as a configuration of kohya's
 * @throws InputError `preset.damaged`, `preset.newer`
 */
export function readPresetFile(text: string): Preset | undefined {
  const content = text.replace(/^\uFEFF/, "").trimStart();
  if (!content.startsWith("{") || !content.includes(`"${mark}"`)) return undefined;
  let table: Readonly<Record<string, unknown>>;
  try {
    table = asTable(JSON.parse(content));
  } catch {
    throw damaged();
  }
  const { [mark]: version, name, settings, model, ...others } = table;
  if (version === undefined) return undefined;
  checkVersion(version);
  if (Object.keys(others).length > 0) throw damaged();
  return readPresetData({ n: name, s: settings, ...(model === undefined ? {} : { m: model }) });
}

/** @throws InputError `preset.newer`, or `preset.damaged` where it is no version at all */
export function checkVersion(version: unknown): void {
  if (version === presetVersion) return;
  if (typeof version !== "number" || !Number.isInteger(version) || version < 1) throw damaged();
  const message = `The preset was made by a newer Lorasmith (format ${version}); this one reads up to ${presetVersion}. Update the page.`;
  throw new InputError("preset.newer", message, { version, known: presetVersion });
}

export function damaged(): InputError {
  return new InputError("preset.damaged", "The preset is damaged or incomplete; copy the whole link again, or ask for it as a file.");
}

function asTable(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw damaged();
  return value as Readonly<Record<string, unknown>>;
}

function asName(value: unknown): string {
  if (typeof value !== "string" || value.length > longestPresetName || /\p{Cc}/u.test(value)) throw damaged();
  return value;
}

function asModel(value: unknown): ModelHint {
  const { n, h, ...others } = asTable(value);
  if (Object.keys(others).length > 0) throw damaged();
  if (h === undefined) return { name: asModelName(n) };
  if (typeof h !== "string" || !/^[0-9a-f]{8,64}$/.test(h)) throw damaged();
  return { name: asModelName(n), hash: h };
}

function asModelName(value: unknown): string {
  if (typeof value !== "string" || value.length > 255 || /\p{Cc}/u.test(value)) throw damaged();
  return value;
}
