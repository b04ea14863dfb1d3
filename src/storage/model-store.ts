/** What lay on the test bench at the last visit: references to files, reopened as those of the set-up are. */
import type { ModelRef } from "./database.ts";
import { readSetting, writeSetting } from "./settings-store.ts";

/** An adapter by file, or by what a run has stored. */
export type AdapterRef =
  | { readonly kind: "file"; readonly file: ModelRef }
  | { readonly kind: "run"; readonly runId: string; readonly step?: number };

export interface RememberedBench {
  readonly model?: ModelRef;
  readonly vae?: ModelRef;
  readonly adapters: readonly AdapterRef[];
  readonly embeddings: readonly ModelRef[];
}

const settingName = "bench";
const nothing: RememberedBench = { adapters: [], embeddings: [] };

/** Nothing where nothing was stored, or nothing can be read. */
export async function rememberedBench(): Promise<RememberedBench> {
  const stored = await readSetting(settingName).catch(() => undefined);
  return { ...nothing, ...(stored as Partial<RememberedBench> | undefined) };
}

export async function rememberBench(bench: RememberedBench): Promise<void> {
  await writeSetting(settingName, bench);
}

/** Names of the model copies that the bench needs, for those who clean up. */
export async function benchCopyNames(): Promise<string[]> {
  const { model, vae, adapters, embeddings } = await rememberedBench();
  const files = [model, vae, ...embeddings, ...adapters.map((adapter) => (adapter.kind === "file" ? adapter.file : undefined))];
  return files.flatMap((file) => file?.copyName ?? []);
}
