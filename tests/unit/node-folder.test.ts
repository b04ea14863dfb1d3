import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openNodeFolder } from "../../src/cli/node-folder.ts";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "lorasmith-folder-"));
  await mkdir(join(root, "10_sls 1girl"));
  await writeFile(join(root, "10_sls 1girl", "图.png"), "picture");
  await writeFile(join(root, "10_sls 1girl", "图.txt"), "a caption");
});

afterEach(() => rm(root, { recursive: true }));

describe("openNodeFolder", () => {
  it("lists files with paths that begin with the folder's own name, and reads them", async () => {
    const folder = await openNodeFolder(root);
    const picture = `${basename(root)}/10_sls 1girl/图.png`;
    expect(folder.entries.find((entry) => entry.path === picture)).toEqual({ path: picture, size: 7 });
    expect(Buffer.from(await folder.read(picture.replace(".png", ".txt"))).toString()).toBe("a caption");
    const source = await folder.open(picture);
    expect(Buffer.from(await source.read(0, 4)).toString()).toBe("pict");
    await source.close?.();
  });

  it("survives links that go in circles or nowhere", async () => {
    await symlink(root, join(root, "loop"));
    await symlink(join(root, "gone"), join(root, "dead.png"));
    const { entries } = await openNodeFolder(root);
    expect(entries).toHaveLength(2);
  });

  it("says what is wrong with a path that is no folder", async () => {
    await expect(openNodeFolder(join(root, "nowhere"))).rejects.toMatchObject({ code: "folder.missing" });
    const file = join(root, "10_sls 1girl", "图.txt");
    await expect(openNodeFolder(file)).rejects.toMatchObject({ code: "folder.notAFolder" });
  });

  it("says that a file disappeared", async () => {
    const folder = await openNodeFolder(root);
    await rm(join(root, "10_sls 1girl", "图.txt"));
    await expect(folder.read(`${basename(root)}/10_sls 1girl/图.txt`)).rejects.toMatchObject({ code: "file.unreadable" });
  });
});
