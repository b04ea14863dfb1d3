import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openNodeFile } from "../../src/cli/node-file.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lorasmith-node-file-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("a file that is read by slices", () => {
  test("gives exactly the bytes asked for, in a buffer of their own", async () => {
    const path = join(folder, "whole.bin");
    await writeFile(path, Uint8Array.of(1, 2, 3, 4));
    const source = await openNodeFile(path);
    const bytes = await source.read(1, 2);
    expect([...bytes, bytes.byteOffset, bytes.buffer.byteLength, source.size]).toEqual([2, 3, 0, 2, 4]);
    await source.close();
  });

  test("and shrank after it was opened is reported by name", async () => {
    const path = join(folder, "gone.bin");
    await writeFile(path, "1234");
    const source = await openNodeFile(path);
    await truncate(path, 2);
    await expect(source.read(1, 2)).rejects.toMatchObject({ code: "file.unreadable", data: { file: "gone.bin" } });
    await source.close();
  });

  // Address 0 of a process is never mapped: the kernel answers as a failing disk does.
  test.runIf(process.platform === "linux")("and fails under the reader is reported by name", async () => {
    const source = await openNodeFile("/proc/self/mem");
    await expect(source.read(0, 4)).rejects.toMatchObject({
      code: "file.unreadable", data: { file: "mem" }, cause: expect.objectContaining({ code: "EIO" }) as object,
    });
    await source.close();
  });
});
