/** The user's own presets, by name. */
import { openDatabase } from "./database.ts";
import type { PresetRecord } from "./database.ts";
import { storing } from "./storage-errors.ts";

/** In order of their names. */
export async function ownPresets(): Promise<PresetRecord[]> {
  return (await openDatabase()).getAll("presets");
}

/** Stores a preset, in the place of one of the same name. Throws StorageFullError. */
export async function savePreset(preset: PresetRecord): Promise<void> {
  await storing("the preset", async () => (await openDatabase()).put("presets", preset));
}

export async function deletePreset(name: string): Promise<void> {
  await (await openDatabase()).delete("presets", name);
}
