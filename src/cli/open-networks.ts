import { openTensorFile } from "../formats/open-tensor-file.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import { openStartNetworks, type StartNetworks } from "../training/start-networks.ts";
import { openNodeFile } from "./node-file.ts";

/**
 * Runs `use` with the adapter files that `network_weights` and `base_weights` name, as paths, and closes them after it.
 * @throws InputError `file.*`, `lora.*`
 */
export async function withStartNetworks<T>(config: TrainingConfig, use: (networks: StartNetworks) => Promise<T>): Promise<T> {
  const opened: { close(): Promise<void> }[] = [];
  try {
    const networks = await openStartNetworks(config, async (path) => {
      const source = await openNodeFile(path);
      opened.push(source);
      return openTensorFile(source);
    });
    return await use(networks);
  } finally {
    for (const source of opened) await source.close();
  }
}
