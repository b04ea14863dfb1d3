import { describe, expect, it } from "vitest";
import { blobFolder } from "../../src/dataset/blob-folder.ts";
import { joinFolders } from "../../src/dataset/join-folders.ts";
import { parseFolderName } from "../../src/dataset/paths.ts";
import { understandFolder } from "../../src/dataset/folders.ts";
import { byCodePoint } from "../../src/dataset/sort.ts";
import { InputError } from "../../src/errors.ts";

const understand = (paths: readonly string[], extension = ".txt") =>
  understandFolder(paths.map((path) => ({ path, size: 1 })), extension);
const folders = (paths: readonly string[]) =>
  understand(paths).subsets.map(({ dir, repeats, classTokens, images }) => [dir, repeats, classTokens, images.length]);

describe("understandFolder", () => {
  it("reads kohya's layout at every level it may be dropped", () => {
    const leaf = ["10_sls 1girl/a.png", "10_sls 1girl/b.jpg"];
    const parent = [...leaf, "2_cpc_x 1girl/c.webp"];
    expect(folders(leaf)).toEqual([["10_sls 1girl", 10, "sls 1girl", 2]]);
    expect(folders(parent)).toEqual([["10_sls 1girl", 10, "sls 1girl", 2], ["2_cpc_x 1girl", 2, "cpc_x 1girl", 1]]);
    expect(folders(parent.map((path) => `train/${path}`)).map(([dir]) => dir)).toEqual([
      "train/10_sls 1girl", "train/2_cpc_x 1girl",
    ]);
    expect(folders(["a.png", "b.BMP"])).toEqual([["", 1, "", 2]]);
  });

  it("takes a folder without a number as repeats 1 and says so", () => {
    const { subsets, notices } = understand(["cats/a.png", "cats/a.txt"]);
    expect(subsets[0]).toMatchObject({ dir: "cats", repeats: 1, hasRepeatsPrefix: false, classTokens: "" });
    expect(notices).toEqual([expect.objectContaining({ code: "dataset.repeatsOne", data: { dir: "cats" } })]);
  });

  it("is not fooled by a date in the name of the folder above", () => {
    expect(folders(["2024_summer/10_sls/a.png", "2024_summer/x.png"])).toEqual([["2024_summer/10_sls", 10, "sls", 1]]);
  });

  it("passes over what kohya passes over, with the reason", () => {
    const { ignored } = understand([
      "t/10_sls/a.png", "t/10_sls/old/b.png", "t/raw/c.png", "t/10_sls/anim.gif", "t/10_sls/lost.txt", "t/notes.pdf",
      "t/.DS_Store", "__MACOSX/t/10_sls/._a.png", "t/10_sls/a_sd.npz",
    ]);
    expect(Object.fromEntries(ignored.map(({ path, reason }) => [path, reason]))).toEqual({
      "t/10_sls/old/b.png": "nested",
      "t/raw/c.png": "outsideRepeatsFolders",
      "t/10_sls/anim.gif": "unsupportedPicture",
      "t/10_sls/lost.txt": "captionWithoutPicture",
      "t/notes.pdf": "notAPicture",
      "t/.DS_Store": "hidden",
      "__MACOSX/t/10_sls/._a.png": "hidden",
      "t/10_sls/a_sd.npz": "notAPicture",
    });
  });

  it("tells the regularization pictures of kohya's layout from the training pictures", () => {
    const paths = ["p/reg/1_1girl/r.png", "p/img/10_sls 1girl/a.png", "p/reg/loose.png", "p/img/2_cpc/b.png"];
    const { subsets, ignored } = understand(paths);
    expect(subsets.map(({ dir, repeats, classTokens, isReg }) => [dir, repeats, classTokens, isReg])).toEqual([
      ["p/img/10_sls 1girl", 10, "sls 1girl", false], ["p/img/2_cpc", 2, "cpc", false], ["p/reg/1_1girl", 1, "1girl", true],
    ]);
    expect(ignored).toEqual([{ path: "p/reg/loose.png", reason: "outsideRepeatsFolders" }]);
  });

  it("trains on pictures of a regularization folder that is all there is", () => {
    expect(understand(["reg/1_1girl/a.png"]).subsets).toMatchObject([{ dir: "reg/1_1girl", isReg: false }]);
  });

  it("takes regularization pictures from the folder that is said to hold them, and from no other", () => {
    const folder = (...paths: string[]) => blobFolder(paths.map((path) => ({ path, file: new Blob([path]) })));
    const understood = (training: string[], regularization: string[]) => {
      const { entries, regDir } = joinFolders(folder(...training), folder(...regularization));
      return understandFolder(entries, ".txt", regDir).subsets.map(({ dir, isReg }) => [dir, isReg]);
    };
    expect(understood(["reg_x/5_sls/a.png"], ["girls/1_1girl/b.png"])).toEqual([
      ["reg_x/5_sls", false], ["reg_data_dir/girls/1_1girl", true],
    ]);
    expect(understood(["p/img/5_sls/a.png", "p/reg/2_1girl/c.png"], ["girls/1_1girl/b.png"])).toEqual([
      ["p/img/5_sls", false], ["reg_data_dir/girls/1_1girl", true],
    ]);
    expect(() => understood(["p/notes.txt"], ["girls/1_1girl/b.png"])).toThrow(InputError);
    expect(() => understood(["p/5_sls/a.png"], ["girls/notes.txt"])).toThrow(InputError);
  });

  it("sorts pictures by code point, as Python does", () => {
    const names = ["b.png", "B.png", "a10.png", "a2.png", "\u{1F600}.png", "\uFF01.png"];
    const { subsets } = understand(names.map((name) => `1_x/${name}`));
    expect(subsets[0]!.images.map((image) => image.path.slice(4))).toEqual([
      "B.png", "a10.png", "a2.png", "b.png", "\uFF01.png", "\u{1F600}.png",
    ]);
    expect(["\u{1F600}", "\uFF01", "a", ""].sort(byCodePoint)).toEqual(["", "a", "\uFF01", "\u{1F600}"]);
  });

  it("finds captions by the configured ending, with or without its dot", () => {
    const captionOf = (files: string[], extension: string) =>
      understand(["1_x/a.png", ...files], extension).subsets[0]!.images[0]!.captionPath;
    expect(captionOf(["1_x/a.txt", "1_x/a.caption"], ".caption")).toBe("1_x/a.caption");
    expect(captionOf(["1_x/a.txt", "1_x/a.caption"], "txt")).toBe("1_x/a.txt");
    expect(captionOf(["1_x/a.txt", "1_x/a.caption"], "")).toBe("1_x/a.caption");
    expect(captionOf(["1_x/b.txt"], ".txt")).toBeNull();
  });

  it("finds the caption of a picture that kohya's face detection has named", () => {
    const { subsets } = understand(["1_x/my_cat_10_20_30_40.png", "1_x/my_cat.txt"]);
    expect(subsets[0]!.images[0]!.captionPath).toBe("1_x/my_cat.txt");
  });

  it("uses captions with another ending than configured and says so", () => {
    const { subsets, notices } = understand(["1_x/a.png", "1_x/a.txt"], ".caption");
    expect(subsets[0]!.images[0]!.captionPath).toBe("1_x/a.txt");
    expect(notices.map((notice) => notice.code)).toEqual(["dataset.otherCaptionExtension"]);
  });

  it("says what pictures without a caption file get", () => {
    const { notices } = understand(["1_sls girl/a.png", "1_sls girl/b.png", "1_sls girl/b.txt"]);
    expect(notices).toEqual([
      expect.objectContaining({
        code: "dataset.captionsMissing", data: { dir: "1_sls girl", count: 1, total: 2, classTokens: "sls girl" },
      }),
    ]);
  });

  it.each([[[]], [["notes.txt"]], [["1_x/a.gif", "1_x/b.avif"]], [[".hidden/a.png"]]])(
    "refuses a folder without pictures: %j", (paths) => {
      expect(() => understand(paths)).toThrow(expect.objectContaining({ code: "dataset.noPictures" }));
      expect(() => understand(paths)).toThrow(InputError);
    },
  );
});

describe("parseFolderName", () => {
  it.each([
    ["10_sls 1girl", { repeats: 10, classTokens: "sls 1girl" }],
    ["3_a_b", { repeats: 3, classTokens: "a_b" }],
    ["007_x", { repeats: 7, classTokens: "x" }],
    ["0_x", undefined], ["x_10", undefined], ["-1_x", undefined], ["1.5_x", undefined], ["10", undefined],
    ["20240131_holiday", undefined],
  ])("reads %s", (name, expected) => {
    expect(parseFolderName(name)).toEqual(expected);
  });
});
