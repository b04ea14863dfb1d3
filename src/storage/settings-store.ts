/** Small values that outlive a reload: preferences of the page and the draft of the next run. */
import { openDatabase } from "./database.ts";
import { storing } from "./storage-errors.ts";

export async function readSetting(key: string): Promise<unknown> {
  return (await openDatabase()).get("settings", key);
}

export async function writeSetting(key: string, value: unknown): Promise<void> {
  await storing("your settings", async () => (await openDatabase()).put("settings", value, key));
}
