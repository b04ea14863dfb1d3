import { openTensorFile } from "../formats/open-tensor-file.ts";
import { openCheckpoint, type Checkpoint } from "../models/config.ts";
import { openNodeFile } from "./node-file.ts";

/** Runs `use` with an opened checkpoint and closes the file after it. @throws InputError `file.*`, `checkpoint.*` … */
export async function withModel<T>(path: string, use: (checkpoint: Checkpoint) => Promise<T>): Promise<T> {
  const source = await openNodeFile(path);
  try {
    return await use(await openCheckpoint(await openTensorFile(source)));
  } finally {
    await source.close();
  }
}
