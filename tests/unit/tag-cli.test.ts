import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
// From OpenCV, Pillow and ONNX Runtime: tests/reference/make_tagger.py.
import expected from "../reference/data/tagger/expected.json" with { type: "json" };
import { dataFile, lorasmith, succeeding } from "./run-bin.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const tagger = dataFile("tagger");
const labels = (await readFile(dataFile("tagger/selected_tags.csv"), "utf8"))
  .trim().split(/\r?\n/).slice(1).map((line) => /^\d+,(.+),\d,\d+$/.exec(line)![1]!.replace(/^"(.*)"$/, "$1").replaceAll('""', '"'));

/** What Python's scores amount to in the list's order at thresholds of 0.6, in words. */
function reference(example: (typeof expected.pictures)[number]): string {
  const taken = labels.filter((_, i) => i >= 4 && example.scores[i]! >= 0.6);
  return taken.map((name) => (expected.kaomoji.includes(name) ? name : name.replaceAll("_", " "))).join(", ");
}

let root: string;
let data: string;
let folder: string;
const caption = (name: string) => readFile(join(folder, name), "utf8");
const tag = (...argv: string[]) => lorasmith(["tag", "--tagger", tagger, "--data", data, ...argv]);

// Makes the bundle, so that no test has the time of the build.
beforeAll(() => lorasmith(["--version"]));
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "lorasmith-tag-"));
  data = join(root, "data");
  folder = join(data, "2_sls");
  await mkdir(folder, { recursive: true });
  for (const [i, { width, height, rgba }] of expected.pictures.slice(0, 3).entries()) {
    await sharp(Buffer.from(rgba, "base64"), { raw: { width, height, channels: 4 } }).png().toFile(join(folder, `${i}.png`));
  }
  await writeFile(join(folder, "1.txt"), "sls, 1girl\n");
});
afterEach(() => rm(root, { recursive: true }));

const thresholds = ["--threshold", "0.6", "--character-threshold", "0.6", "--order", "list"];

test("captions are written beside pictures that have none, with the tags that Python finds", async () => {
  const { stdout } = await succeeding(tag(...thresholds));
  expect(stdout).toMatch(/^2 captions written, 1 left as it was\nMost frequent: .*1girl \(2\)/);
  expect([await caption("0.txt"), await caption("1.txt"), await caption("2.txt")]).toEqual([
    `${reference(expected.pictures[0]!)}\n`, "sls, 1girl\n", `${reference(expected.pictures[2]!)}\n`,
  ]);
  expect(reference(expected.pictures[0]!).split(", ").length).toBeGreaterThan(5);
});

test("existing captions are appended to or overwritten, with the rules given", async () => {
  await succeeding(tag(...thresholds, "--append", "--undesired-tags", "breasts,^_^", "--tag-replacement", "long hair,hair"));
  const appended = (await caption("1.txt")).trim().split(", ");
  expect(appended.slice(0, 2)).toEqual(["sls", "1girl"]);
  expect(appended).toContain("hair");
  expect(appended).not.toContain("breasts");
  expect(new Set(appended).size).toBe(appended.length);
  await succeeding(tag(...thresholds, "--overwrite", "--add-tags", "smith"));
  expect(await caption("1.txt")).toBe(`smith, ${reference(expected.pictures[1]!)}\n`);
});

test("a dry run tells and writes nothing; captions can end otherwise", async () => {
  const { stdout } = await succeeding(tag(...thresholds, "--dry-run", "--caption-extension", "caption"));
  expect(stdout).toContain(`data/2_sls/0.caption: ${reference(expected.pictures[0]!)}\n`);
  expect(stdout).toContain("2 captions to write");
  expect((await readdir(folder)).toSorted()).toEqual(["0.png", "1.png", "1.txt", "2.png"]);
});

test("a picture that can't be read is told and the others are tagged", async () => {
  await writeFile(join(folder, "0.png"), "no picture");
  const { code, stdout, stderr } = await tag();
  expect(code).toBe(2);
  expect(stderr).toMatch(/^warning: data\/2_sls\/0\.png can't be read as a picture/);
  expect(stdout).toMatch(/^1 caption written, 1 left as it was, 1 picture could not be read\n/);
});

test("sd-scripts' names of options are understood, also with underscores", async () => {
  await succeeding(tag("--thresh", "0.6", "--character_threshold", "0.6", "--order", "list", "--remove_underscore", "--append_tags"));
  expect(await caption("0.txt")).toBe(`${reference(expected.pictures[0]!)}\n`);
  expect(await caption("1.txt")).toMatch(/^sls, 1girl, /);
});

test("a captioner writes sentences, as its settings say", async () => {
  const argv = ["tag", "--tagger", dataFile("captioner-git"), "--data", data, "--dry-run", "--keep-words"];
  const { stdout } = await succeeding(lorasmith([...argv, "--beam-search", "--num_beams", "2", "--max_length", "14", "--prefix", "smith,"]));
  expect(stdout).toMatch(/0\.txt: smith, \w+( [^,]+)?\n/);
  expect(stdout).toContain("2 captions to write, 1 left as it was");
  const twice = await lorasmith([...argv, "--beam-search", "--nucleus"]);
  expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining("contradict each other")]);
});

test("a captioner that does not say what it is wants to be told", async () => {
  const folderOf = join(root, "captioner");
  await mkdir(folderOf);
  for (const name of ["encoder.onnx", "decoder.onnx", "vocab.txt"]) await copyFile(dataFile(`captioner-git/${name}`), join(folderOf, name));
  const argv = ["tag", "--tagger", folderOf, "--data", data];
  expect((await lorasmith(argv)).stderr).toMatch(/has no captioner\.json, so say with --kind what it is: blip-large, /);
  expect((await lorasmith([...argv, "--kind", "git-base"])).stderr).toMatch(/and the encoder of this captioner takes float32 \[1, 3, 224, 224\]/);
});

test("a bad tagger or option is one line and exit code 2", async () => {
  const bad = join(root, "bad");
  await mkdir(bad);
  const run = async (argv: readonly string[]) => {
    const { code, stdout, stderr } = await lorasmith(argv);
    expect({ code, stdout, lines: stderr.split("\n").length }).toEqual({ code: 2, stdout: "", lines: 2 });
    return stderr;
  };
  const withBad = ["tag", "--tagger", bad, "--data", data];
  expect(await run(withBad)).toMatch(/No files: a tagger is an \.onnx file and the list of its tags/);
  await copyFile(dataFile("tagger/selected_tags.csv"), join(bad, "selected_tags.csv"));
  expect(await run(withBad)).toMatch(/^lorasmith: selected_tags\.csv: a tagger is an \.onnx file/);
  await writeFile(join(bad, "model.onnx"), "no model");
  expect(await run(withBad)).toMatch(/model\.onnx can't be loaded as an ONNX model/);
  expect(await run(["tag", "--data", data])).toMatch(/--tagger is missing/);
  expect(await run([...withBad, "--append", "--overwrite"])).toMatch(/--append and --overwrite contradict each other/);
  expect(await run([...withBad, "--threshold", "high"])).toMatch(/--threshold is "high"; it is a number from 0\.005/);
  expect(await run([...withBad, "--order", "random"])).toMatch(/--order is "random"; it is score, list or name/);
});
