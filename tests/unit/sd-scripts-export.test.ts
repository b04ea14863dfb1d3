import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { exportForSdScripts } from "../../src/config/kohya-export.ts";
import { loadKohyaConfig } from "../../src/config/kohya.ts";
import { suggestedConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { understandFolder } from "../../src/dataset/folders.ts";
import { blobSource } from "../../src/formats/byte-source.ts";
import { readZipDirectory, zipDataOffset } from "../../src/formats/torch-zip.ts";
import { blobFrom, writeZip } from "../../src/formats/zip.ts";

const report = understandFolder(
  ["set/10_sls 1girl/a.png", "set/10_sls 1girl/a.caption", "set/10_sls 1girl/b.jpg", "set/reg/1_1girl/r.png"].map((path) => ({ path, size: 1 })),
  ".txt",
);
const config = { ...suggestedConfig(), sample_prompts: "sls --d 1", max_grad_norm: 0, train_data_dir: "/home/me" };

describe("an export for sd-scripts", () => {
  const { files, warnings } = exportForSdScripts(config, report.subsets, "sd15.safetensors");
  const text = (path: string): string => {
    const file = files.find((entry) => entry.path === path);
    return file !== undefined && "text" in file ? file.text : "";
  };

  it("has kohya's folders, with captions under the ending that the settings name", () => {
    expect(files.filter((file) => "from" in file)).toEqual([
      { path: "train/10_sls 1girl/a.png", from: "set/10_sls 1girl/a.png" },
      { path: "train/10_sls 1girl/a.txt", from: "set/10_sls 1girl/a.caption" },
      { path: "train/10_sls 1girl/b.jpg", from: "set/10_sls 1girl/b.jpg" },
      { path: "reg/1_1girl/r.png", from: "set/reg/1_1girl/r.png" },
    ]);
  });

  it("tells sd-scripts the same settings, and nothing of this computer", () => {
    const read = loadKohyaConfig(text("config.toml"));
    const local = { pretrained_model_name_or_path: "sd15.safetensors", train_data_dir: "", output_dir: "output", sample_prompts: "" };
    expect(read.config).toEqual({ ...config, ...local });
    expect(read.extra).toMatchObject({ cache_latents: true });
    expect(parse(text("config.toml"))).toMatchObject({ samples: { sample_prompts: "prompts.txt" } });
    expect(text("prompts.txt")).toBe("sls --d 1\n");
    expect(warnings).toEqual([]);
  });

  it("says that LyCORIS' networks need its package", () => {
    const readmeOf = (values: Partial<TrainingConfig>): string => {
      const readme = exportForSdScripts({ ...config, ...values }, [], "sd15.safetensors").files.find(({ path }) => path === "README.txt");
      return readme !== undefined && "text" in readme ? readme.text : "";
    };
    expect(readmeOf({ network_module: "lycoris.kohya" })).toContain("pip install lycoris-lora");
    expect(readmeOf({})).not.toContain("lycoris");
  });

  it("describes the dataset in keys that sd-scripts' strict reader has", () => {
    expect(parse(text("dataset.toml"))).toEqual({
      datasets: [{
        subsets: [
          { image_dir: "train/10_sls 1girl", num_repeats: 10, class_tokens: "sls 1girl" },
          { image_dir: "reg/1_1girl", num_repeats: 1, class_tokens: "1girl", is_reg: true },
        ],
      }],
    });
  });

  it("takes along the files that a run starts from, under the paths that its settings have, and asks for the others", () => {
    const starts = { network_weights: "/home/me/a.safetensors", base_weights: ["/home/me/old/a.safetensors", "b.safetensors"] };
    const named = exportForSdScripts({ ...config, ...starts }, [], "sd15.safetensors", undefined, (name) => name !== "b.safetensors");
    expect(named.files.filter((file) => "start" in file)).toEqual([
      { path: "networks/a.safetensors", start: "/home/me/a.safetensors" },
      { path: "networks/2_a.safetensors", start: "/home/me/old/a.safetensors" },
    ]);
    const textOf = (path: string): string => {
      const file = named.files.find((entry) => entry.path === path);
      return file !== undefined && "text" in file ? file.text : "";
    };
    expect(loadKohyaConfig(textOf("config.toml")).config).toMatchObject({
      network_weights: "networks/a.safetensors", base_weights: ["networks/2_a.safetensors", "networks/b.safetensors"],
    });
    expect(textOf("README.txt")).toContain("(sd15.safetensors, networks/b.safetensors)");
  });

  it("says how to start it", () => {
    expect(text("train.sh")).toContain("accelerate launch");
    expect(text("README.txt")).toContain("--config_file config.toml --dataset_config dataset.toml");
  });
});

describe("a zip file", () => {
  const entry = (path: string, contents: string) => ({ path, size: new Blob([contents]).size, open: () => new Blob([contents]).stream() });
  const zipOf = (entries: Parameters<typeof writeZip>[0]) => blobFrom((to) => writeZip(entries, to), "application/zip");

  it("has the bytes that the format's description asks for", async () => {
    const view = new DataView(await (await zipOf([entry("a/é.txt", "123456789")])).arrayBuffer());
    expect(view.getUint32(0, true)).toBe(0x04034b50);
    // Names are UTF-8, contents stored.
    expect([view.getUint16(6, true), view.getUint16(8, true)]).toEqual([0x0800, 0]);
    // The check value of CRC-32 for "123456789".
    expect(view.getUint32(14, true)).toBe(0xcbf43926);
    expect([view.getUint32(18, true), view.getUint32(22, true), view.getUint16(26, true)]).toEqual([9, 9, 8]);
    const end = view.byteLength - 22;
    expect(view.getUint32(end, true)).toBe(0x06054b50);
    expect(view.getUint16(end + 10, true)).toBe(1);
    const directory = view.getUint32(end + 16, true);
    expect(view.getUint32(directory, true)).toBe(0x02014b50);
    expect(view.getUint32(end + 12, true)).toBe(end - directory);
  });

  it("is read back by another reader, and is the same file each time", async () => {
    const entries = [entry("train/10_铁匠/a.png", "picture"), entry("train/10_铁匠/a.txt", ""), entry("README.txt", "read me")];
    const zip = await zipOf(entries);
    const source = blobSource(zip, "a.zip");
    const found = await readZipDirectory(source);
    expect([...found.keys()]).toEqual(entries.map(({ path }) => path));
    const picture = found.get("train/10_铁匠/a.png")!;
    expect(new TextDecoder().decode(await source.read(await zipDataOffset(source, picture), picture.byteLength))).toBe("picture");
    expect(await (await zipOf(entries)).arrayBuffer()).toEqual(await zip.arrayBuffer());
  });

  it("asks for one entry at a time, and hands on what was written before it asks for the next", async () => {
    const asked: string[] = [];
    let written = 0;
    const big = 3_000_000;
    const entries = ["a", "b", "c"].map((path, index) => ({
      path,
      size: big,
      open: () => {
        asked.push(`${path} ${written >= index * big}`);
        return new Blob([new Uint8Array(big)]).stream();
      },
    }));
    await writeZip(entries, new WritableStream({ write: (bytes) => void (written += bytes.length) }));
    expect(asked).toEqual(["a true", "b true", "c true"]);
  });

  it("is given up where an entry cannot be read, so that no half of one is taken for whole", async () => {
    const ends: string[] = [];
    const to = new WritableStream<Uint8Array<ArrayBuffer>>({ close: () => void ends.push("closed"), abort: () => void ends.push("aborted") });
    const unreadable = { path: "b", size: 1, open: () => new ReadableStream<Uint8Array>({ start: (control) => control.error(new Error("gone")) }) };
    await expect(writeZip([entry("a", "1"), unreadable], to)).rejects.toThrow("gone");
    expect(ends).toEqual(["aborted"]);
  });
});
