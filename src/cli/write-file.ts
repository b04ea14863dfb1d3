import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { InputError } from "../errors.ts";

/** Makes a folder and those above it. @throws InputError `file.cannotWrite` */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((cause: unknown) => {
    throw cannotWrite(path, cause);
  });
  if (!(await stat(path)).isDirectory()) throw cannotWrite(path, new Error("it is no folder"));
}

/** Writes a whole file so that its name never stands for half of it. @throws InputError `file.cannotWrite` */
export async function writeWhole(path: string, contents: Uint8Array | string): Promise<void> {
  const draft = `${path}.${process.pid}.part`;
  try {
    await writeFile(draft, contents);
    await rename(draft, path);
  } catch (cause) {
    await rm(draft, { force: true });
    throw cannotWrite(path, cause);
  }
}

function cannotWrite(path: string, cause: unknown): InputError {
  const reason = cause instanceof Error ? (cause.message.split(",")[0] ?? "") : String(cause);
  return new InputError("file.cannotWrite", `${path} cannot be written: ${reason}`, { file: path }, { cause });
}
