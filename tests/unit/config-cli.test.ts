import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { configCommand } from "../../src/cli/config.ts";
import { loadKohyaConfig } from "../../src/config/kohya.ts";
import { InputError } from "../../src/errors.ts";
import { blobSource } from "../../src/formats/byte-source.ts";
import { readZipDirectory, zipDataOffset } from "../../src/formats/torch-zip.ts";

const saved = new URL("fixtures/kohya/gui-2023-spring.json", import.meta.url).pathname;
let folder = "";
let printed: string[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lorasmith-config-"));
  printed = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => printed.push(String(text)) > 0);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => printed.push(`warning ${String(text)}`) > 0);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

describe("lorasmith config", () => {
  it("writes the same bytes in the same format, and only what --set changes", async () => {
    const before = await readFile(saved, "utf8");
    await configCommand.run(["--from", saved, "--to", join(folder, "same.json")]);
    expect(await readFile(join(folder, "same.json"), "utf8")).toBe(before);
    await configCommand.run(["--from", saved, "--to", join(folder, "other.json"), "--set", "network_dim=8"]);
    expect(await readFile(join(folder, "other.json"), "utf8")).toBe(before.replace('"network_dim": 32', '"network_dim": 8'));
  });

  it("goes through TOML, a preset and a link to the same settings", async () => {
    const { config } = loadKohyaConfig(await readFile(saved, "utf8"));
    await configCommand.run(["--from", saved, "--to", join(folder, "a.toml")]);
    await configCommand.run(["--from", join(folder, "a.toml"), "--to", join(folder, "b.json"), "--format", "preset"]);
    printed = [];
    await configCommand.run(["--from", join(folder, "b.json"), "--format", "link"]);
    const link = `https://example.org/page/${printed.join("").trim()}`;
    printed = [];
    await configCommand.run(["--from", link, "--format", "toml"]);
    expect(loadKohyaConfig(printed.join("")).config).toEqual(config);
  });

  it("writes a run for sd-scripts with its pictures as a zip", async () => {
    const pictures = join(folder, "set", "2_sls");
    await mkdir(pictures, { recursive: true });
    await mkdir(join(folder, "class", "1_girl"), { recursive: true });
    await writeFile(join(pictures, "a.png"), "picture");
    await writeFile(join(pictures, "a.txt"), "sls, 铁匠");
    await writeFile(join(folder, "class", "1_girl", "r.png"), "other");
    const start = join(folder, "start.safetensors");
    await writeFile(start, "network");
    const to = join(folder, "run.zip");
    await configCommand.run(["--from", saved, "--to", to, "--data", join(folder, "set"), "--reg", join(folder, "class"), "--set", "output_name=run", "--set", `network_weights=${start}`]);
    const source = blobSource(new Blob([await readFile(to)]), "run.zip");
    const entries = await readZipDirectory(source);
    expect([...entries.keys()].filter((path) => !/\.(sh|toml)$/.test(path)).sort()).toEqual([
      "run/README.txt", "run/networks/start.safetensors", "run/reg/1_girl/r.png", "run/train/2_sls/a.png", "run/train/2_sls/a.txt",
    ]);
    const network = entries.get("run/networks/start.safetensors")!;
    expect(new TextDecoder().decode(await source.read(await zipDataOffset(source, network), network.byteLength))).toBe("network");
    const caption = entries.get("run/train/2_sls/a.txt")!;
    expect(new TextDecoder().decode(await source.read(await zipDataOffset(source, caption), caption.byteLength))).toBe("sls, 铁匠");
    expect((await readdir(folder)).sort()).toEqual(["class", "run.zip", "set", "start.safetensors"]);
  });

  it("names what cannot be used and goes on, or stops there with --strict", async () => {
    const bad = join(folder, "bad.toml");
    await writeFile(bad, "network_dim = 0\nnework_alpha = 3\nseed = 5\n");
    await configCommand.run(["--from", bad, "--format", "json"]);
    expect(printed.join("")).toMatch(/network_dim is 0.*\n.*nework_alpha/);
    await expect(configCommand.run(["--from", bad, "--strict"])).rejects.toThrow(/network_dim is 0/);
  });

  it.each<{ argv: string[] }>([
    { argv: [] }, { argv: ["--from", "/nowhere.toml"] }, { argv: ["--from", saved, "--format", "yaml"] }, { argv: ["--from", "x/#p=1.AAAA"] },
    { argv: ["--from", saved, "--format", "zip"] }, { argv: ["--from", saved, "--to", "/tmp/x.zip"] },
  ])("refuses $argv", async ({ argv }) => {
    await expect(configCommand.run(argv)).rejects.toBeInstanceOf(InputError);
  });
});
