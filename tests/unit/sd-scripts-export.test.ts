import { parse } from "smol-toml";
import { describe, expect, it } from "vitest";
import { exportForSdScripts } from "../../src/config/kohya-export.ts";
import { loadKohyaConfig } from "../../src/config/kohya.ts";
import { suggestedConfig } from "../../src/config/parameters.ts";
import { understandFolder } from "../../src/dataset/folders.ts";
import { zipOf } from "../../src/formats/zip-writer.ts";

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
    expect(read.extra).toMatchObject({ network_module: "networks.lora", cache_latents: true });
    expect(parse(text("config.toml"))).toMatchObject({ samples: { sample_prompts: "prompts.txt" } });
    expect(text("prompts.txt")).toBe("sls --d 1\n");
    expect(warnings).toEqual([]);
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

  it("says how to start it", () => {
    expect(text("train.sh")).toContain("accelerate launch");
    expect(text("README.txt")).toContain("--config_file config.toml --dataset_config dataset.toml");
  });
});

describe("a zip file", () => {
  it("has the bytes that the format's description asks for", async () => {
    const zip = await zipOf([{ path: "a/é.txt", contents: new Blob(["123456789"]) }]);
    const view = new DataView(await zip.arrayBuffer());
    expect(view.getUint32(0, true)).toBe(0x04034b50);
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
});
