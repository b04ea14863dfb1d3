import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { InputError, LorasmithError } from "../errors.ts";
import type { FileBytes } from "../formats/streamed-file.ts";

/** Makes a folder and those above it. @throws InputError `file.cannotWrite` */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw cannotWrite(path, cause);
  });
  if (!(await stat(path)).isDirectory()) throw cannotWrite(path, new Error("it is no folder"));
}

/** Writes a whole file so that its name never stands for half of it. @throws InputError `file.cannotWrite` */
export async function writeWhole(path: string, contents: FileBytes | Uint8Array | string): Promise<void> {
  const draft = `${path}.${process.pid}.part`;
  try {
    if (typeof contents === "string" || contents instanceof Uint8Array) await writeFile(draft, contents);
    else await writeFile(draft, contents.chunks());
    await rename(draft, path);
  } catch (cause) {
    await rm(draft, { force: true });
    // A file that is made while it is written may fail by itself: a base model that is gone, a lost GPU.
    throw cause instanceof LorasmithError ? cause : cannotWrite(path, cause);
  }
}

function cannotWrite(path: string, cause: unknown): InputError {
  const reason = cause instanceof Error ? (cause.message.split(",")[0] ?? "") : String(cause);
  return new InputError("file.cannotWrite", `${path} cannot be written: ${reason}`, { file: path }, { cause });
}
