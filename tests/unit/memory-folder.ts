import type { PartFile, PartFolder } from "../../src/storage/part-file.ts";

/** A folder of files in memory, with room for so many bytes. */
export class MemoryFolder implements PartFolder {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly room: number;

  constructor(room = Infinity) {
    this.room = room;
  }

  text(name: string): string | undefined {
    const bytes = this.files.get(name);
    return bytes && new TextDecoder().decode(bytes);
  }

  async open(name: string): Promise<PartFile> {
    const { files, room } = this;
    if (!files.has(name)) files.set(name, new Uint8Array(0));
    const bytes = () => files.get(name)!;
    return {
      getSize: () => bytes().length,
      read(into, { at }) {
        const part = bytes().subarray(at, at + into.length);
        into.set(part);
        return part.length;
      },
      write(from, { at }) {
        const fitting = from.subarray(0, Math.max(0, room - at));
        const grown = new Uint8Array(Math.max(bytes().length, at + fitting.length));
        grown.set(bytes());
        grown.set(fitting, at);
        files.set(name, grown);
        return fitting.length;
      },
      truncate(size) {
        files.set(name, bytes().slice(0, size));
      },
      flush: () => undefined,
      close: () => undefined,
    };
  }

  async remove(name: string): Promise<void> {
    this.files.delete(name);
  }
}
