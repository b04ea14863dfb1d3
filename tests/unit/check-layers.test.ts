import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { projectRoot } from "./run-bin.ts";

vi.setConfig({ testTimeout: 30_000 });

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "lorasmith-layers-"));
});
afterEach(() => rm(root, { recursive: true }));

/** Checks a project of these files; `src/` goes before every path. */
async function check(files: Record<string, string>): Promise<{ code: number; problems: string[] }> {
  for (const [path, text] of Object.entries({ "errors.ts": "", "gpu/device.ts": "", "training/run.ts": "", ...files })) {
    const file = join(root, "src", path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  return new Promise((resolve) => {
    execFile(process.execPath, [`${projectRoot}scripts/check-layers.mjs`, root], (error, _, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), problems: stderr.split("\n").filter((line) => line.startsWith("src/")) });
    });
  });
}

test("imports along the arrow pass", async () => {
  const result = await check({
    "config/a.ts": 'import { b } from "../errors.ts";',
    "models/a.ts": 'import { device } from "../gpu/device.ts"; import { h } from "../config/a.ts";',
    "workers/a.ts": 'import { run } from "../training/run.ts"; import * as Comlink from "comlink";',
    "ui/a.ts": 'const url = new URL("../workers/a.ts", import.meta.url); import type { R } from "../training/run.ts";',
    "cli/a.ts": 'import { readFile } from "node:fs/promises"; import "../training/run.ts"; process.exit(1);',
  });
  expect(result).toEqual({ code: 0, problems: [] });
});

test("every kind of import against the arrow is found, with its line", async () => {
  const { code, problems } = await check({
    "gpu/a.ts": 'import { x } from "./device.ts";\nimport { run } from "../training/run.ts";\n',
    "config/a.ts": '\n\nexport * from "../gpu/device.ts";\n',
    "training/a.ts": 'const later = () => import("../workers/a.ts");\n',
    "models/a.ts": 'type T = import("../training/run.ts").T;\n',
    "workers/a.ts": 'import "../cli/a.ts";\n',
    "cli/a.ts": 'import "../ui/a.ts";\n',
    "ui/a.ts": 'import type { D } from "../gpu/device.ts";\n',
    "ui/b.svelte": '<p>{text}</p>\n<script lang="ts">\n  import { run } from "../training/run.ts";\n</script>\n',
  });
  expect(code).toBe(1);
  expect(problems.map((line) => line.split(": ")[0]).toSorted()).toEqual([
    "src/cli/a.ts:1",
    "src/config/a.ts:3",
    "src/gpu/a.ts:2",
    "src/models/a.ts:1",
    "src/training/a.ts:1",
    "src/ui/a.ts:1",
    "src/ui/b.svelte:3",
    "src/workers/a.ts:1",
  ]);
});

test("Node, the page and packages stay where they belong", async () => {
  const { problems } = await check({
    "formats/a.ts": 'import { readFile } from "node:fs";\nexport const w = document.title;\nconst ok = { document: 1 }.document;\n',
    "training/a.ts": "process.env;\nnavigator.gpu;\n// window\nconst s = \"window\";\n",
    "dataset/a.ts": 'import sharp from "sharp";\nlet d: GPUDevice;\n',
  });
  expect(problems.map((line) => line.replace(/ \(.*/, "")).toSorted()).toEqual([
    "src/dataset/a.ts:1: the package sharp belongs to src/cli",
    "src/dataset/a.ts:2: src/dataset must not use GPUDevice",
    "src/formats/a.ts:1: src/formats must not use Node's node:fs",
    "src/formats/a.ts:2: src/formats must not use document",
    "src/training/a.ts:1: src/training must not use process",
    "src/training/a.ts:2: src/training must not use navigator",
  ]);
});

test("a new folder has to be given its place", async () => {
  const { problems } = await check({ "magic/a.ts": "export {};\n" });
  expect(problems).toEqual([expect.stringMatching(/^src\/magic\/a\.ts:1: src\/magic is not in the layers/)]);
});
