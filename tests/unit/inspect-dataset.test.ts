import { describe, expect, it } from "vitest";
import { blobFolder } from "../../src/dataset/blob-folder.ts";
import { datasetError, inspectDataset } from "../../src/dataset/inspect.ts";
import fixture from "./fixtures/images.json" with { type: "json" };

const picture = (name: string) => Buffer.from(fixture.pictures.find((item) => item.name === name)!.file, "base64");
const folder = (files: Record<string, Uint8Array | string>) =>
  blobFolder(Object.entries(files).map(([path, content]) => ({ path, file: new Blob([content as BlobPart]) })));

const reading = { caption_extension: ".txt", enable_wildcard: false };

describe("inspectDataset", () => {
  it("gives every picture its size, caption and repeats", async () => {
    const files = { "t/2_sls/b.jpg": picture("turned.jpg"), "t/2_sls/a.png": picture("alpha.png"), "t/2_sls/a.txt": "solo" };
    const { pictures, problems } = await inspectDataset(folder(files), reading);
    expect(problems).toEqual([]);
    expect(pictures).toEqual([
      { path: "t/2_sls/a.png", caption: "solo", repeats: 2, size: [11, 5] },
      { path: "t/2_sls/b.jpg", caption: "sls", repeats: 2, size: [23, 14] },
    ]);
  });

  it("lists broken pictures, huge pictures and empty captions together, and keeps the rest", async () => {
    const huge = Uint8Array.from(picture("rgb.png"));
    new DataView(huge.buffer).setUint32(20, 100_000);
    const { pictures, problems } = await inspectDataset(
      folder({
        "1_x/broken.png": "no picture", "1_x/huge.png": huge, "1_x/good.png": picture("rgb.png"),
        "1_x/mute.png": picture("rgb.png"), "1_x/mute.txt": "",
      }),
      reading,
    );
    expect(pictures.map(({ path }) => path)).toEqual(["1_x/good.png"]);
    expect(problems.map(({ path, code }) => [path, code])).toEqual([
      ["1_x/mute.txt", "caption.empty"], ["1_x/broken.png", "image.undecodable"], ["1_x/huge.png", "image.tooLarge"],
    ]);
  });

  it("makes one error of many problems, naming the files", () => {
    const problem = (path: string, code: string) => ({ path, code, data: {}, text: `${path} is bad.` });
    const error = datasetError([problem("a", "caption.empty"), problem("b", "image.tooLarge"), problem("c", "caption.empty")]);
    expect(error.code).toBe("caption.empty");
    expect(error.data).toEqual({ files: ["a", "c"] });
    expect(error.message).toBe("a is bad. The same goes for 1 more: c.");
  });
});
