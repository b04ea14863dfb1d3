import { open } from "node:fs/promises";
import { basename } from "node:path";
import { InputError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { unreadable } from "../formats/byte-source.ts";

/** Opens a file for reading by slices. Throws InputError `file.missing` or `file.notAFile`. */
export async function openNodeFile(path: string): Promise<ByteSource & { close(): Promise<void> }> {
  const handle = await open(path, "r").catch((cause: unknown) => {
    throw cannotOpen(path, cause);
  });
  const stats = await handle.stat();
  if (!stats.isFile()) {
    await handle.close();
    throw new InputError("file.notAFile", `${path} is not a file.`, { file: path });
  }
  const name = basename(path);
  return {
    name,
    size: stats.size,
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        // One system call reads at most 2 GiB.
        const size = Math.min(length - done, 2 ** 30);
        const { bytesRead } = await handle.read(bytes, done, size, offset + done).catch((cause: unknown) => {
          throw unreadable(name, cause);
        });
        if (bytesRead === 0) throw unreadable(name);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

/** The same of a file that is only open while it is read, so that it may be replaced at any time. */
export async function reopenedFile(path: string): Promise<ByteSource> {
  const { name, size, close } = await openNodeFile(path);
  await close();
  return {
    name,
    size,
    async read(offset, length) {
      const file = await openNodeFile(path);
      try {
        return await file.read(offset, length);
      } finally {
        await file.close();
      }
    },
  };
}

/** A file written from front to back; nothing is buffered beyond the piece at hand. */
export interface NodeSink {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Creates (or empties) a file for writing. Throws InputError `file.cannotWrite`. */
export async function createNodeFile(path: string): Promise<NodeSink> {
  const handle = await open(path, "w").catch((cause: unknown) => {
    throw cannotWrite(path, cause);
  });
  return {
    async write(bytes) {
      let done = 0;
      while (done < bytes.byteLength) {
        const { bytesWritten } = await handle.write(bytes, done).catch((cause: unknown) => {
          throw cannotWrite(path, cause);
        });
        done += bytesWritten;
      }
    },
    close: () => handle.close(),
  };
}

function cannotOpen(path: string, cause: unknown): InputError {
  const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
  return missing
    ? new InputError("file.missing", `${path} does not exist.`, { file: path }, { cause })
    : new InputError("file.cannotOpen", `${path} cannot be opened: ${reason(cause)}.`, { file: path }, { cause });
}

function cannotWrite(path: string, cause: unknown): InputError {
  return new InputError("file.cannotWrite", `${path} cannot be written: ${reason(cause)}.`, { file: path }, { cause });
}

/** Node's message without the path that it repeats. */
function reason(cause: unknown): string {
  return cause instanceof Error ? (cause.message.split(",")[0] ?? cause.message) : String(cause);
}
