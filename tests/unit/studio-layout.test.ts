/** Sets as folders and archives, and back. */
import { expect, test } from "vitest";
import { writeZip, blobFrom } from "../../src/formats/zip.ts";
import { understandFolder } from "../../src/dataset/folders.ts";
import { layoutOf } from "../../src/studio/layout.ts";
import { metadataFile, setFiles, trainingFiles } from "../../src/studio/layout-files.ts";
import type { LaidOutFile } from "../../src/studio/layout-files.ts";
import type { StudioPicture } from "../../src/studio/picture.ts";
import type { StudioSet } from "../../src/studio/studio-set.ts";
import { orient } from "../../src/studio/orient.ts";
import { art, emptyStock, importInto, png } from "./harness/import-files.ts";
import type { Stock } from "./harness/import-files.ts";
import { aPicture, aSet } from "./harness/studio.ts";

test("a set is laid out as the guide has it", () => {
  const set = aSet({
    name: "girls",
    subsets: [
      { id: "sls", isReg: false, repeats: 10, identifier: "sls", className: "1girl" },
      { id: "cpc", isReg: false, repeats: 10, identifier: "cpc", className: "1girl" },
      { id: "reg", isReg: true, repeats: 1, identifier: "", className: "1girl" },
    ],
  });
  const pictures = [aPicture("r", { subset: "reg" }), aPicture("a", { subset: "sls", caption: "sls, smile" }), aPicture("b", { subset: "cpc" })];
  const layout = layoutOf(set, pictures);
  expect(layout.pictures.map(({ stem, ending, captionPath }) => [stem + ending, captionPath])).toEqual([
    ["train_girls/10_cpc 1girl/b.png", null],
    ["train_girls/10_sls 1girl/a.png", "train_girls/10_sls 1girl/a.txt"],
    ["reg_girls/1_1girl/r.png", null],
  ]);
  expect(layout.notices).toEqual([]);
});

test("names that some system does not take are changed, and said", () => {
  const set = aSet({
    name: "a:b",
    subsets: [
      { id: "x", isReg: false, repeats: 2, identifier: "what?", className: "" },
      { id: "y", isReg: false, repeats: 2, identifier: "what*", className: "" },
      { id: "z", isReg: false, repeats: 2, identifier: "WHAT?", className: "" },
    ],
  });
  const pictures = [
    aPicture("1", { subset: "x", name: "CON.png" }), aPicture("2", { subset: "y", name: "a.png" }), aPicture("3", { subset: "z", name: "b .png" }),
    aPicture("4", { subset: "x", name: "a.png" }), aPicture("5", { subset: "x", name: "a.jpg" }), aPicture("6", { subset: "z", name: "A.webp" }),
  ];
  const { pictures: placed, notices } = layoutOf(set, pictures);
  const paths = new Map(placed.map(({ picture, stem, ending }) => [picture.id, stem + ending]));
  expect(Object.fromEntries(paths)).toEqual({
    1: "train_a_b/2_what_/_CON.png", 2: "train_a_b/2_what_-2/a.png", 3: "train_a_b/2_what_/b .png",
    4: "train_a_b/2_what_/a.png", 5: "train_a_b/2_what_/a-2.jpg", 6: "train_a_b/2_what_/A-3.webp",
  });
  expect(notices.map(({ code }) => code)).toEqual(["folderRenamed", "folderRenamed", "foldersJoined", "pictureRenamed", "pictureRenamed", "pictureRenamed"]);
});

async function collect(files: AsyncIterable<LaidOutFile>): Promise<LaidOutFile[]> {
  const found: LaidOutFile[] = [];
  for await (const file of files) found.push(file);
  return found;
}

const bytes = async (file: Blob): Promise<Uint8Array> => new Uint8Array(await file.arrayBuffer());
const strange = ["plain", "中文, タグ, 한국어", "emoji \u{1f600}, \u{1f468}\u200d\u{1f469}", "line\nbreak\r\nand more", " space around ", "\uFEFFmark", "half \ud83d", "", "a\u0301 é", "\u202eturned", "\t,\\\"quoted\""];

/** A set with everything that can be decided about pictures. */
async function richStock(): Promise<Stock> {
  const stock = emptyStock();
  const set: StudioSet = {
    ...stock.set, name: "Ünïcode 集: 1", captionExtension: ".caption",
    subsets: [
      { id: "t", isReg: false, repeats: 10, identifier: "sls", className: "1girl" },
      { id: "t2", isReg: false, repeats: 10, identifier: "sls", className: "1girl" },
      { id: "r", isReg: true, repeats: 1, identifier: "", className: "1girl" },
    ],
    groups: [{ id: "g", name: "front", keyword: "sls, fullbody" }],
    mergeRules: [{ trigger: "sls", absorbed: ["1girl"], synonyms: [{ from: ["grin"], to: "smile" }], when: "any", subsets: ["t"] }],
  };
  stock.set = set;
  for (const [at, caption] of strange.entries()) {
    const file = new Blob([await png(at) as Uint8Array<ArrayBuffer>]);
    const digest = Buffer.from(await crypto.subtle.digest("SHA-256", await file.arrayBuffer())).toString("hex");
    stock.files.set(digest, file);
    const fields: Partial<StudioPicture> = {
      subset: ["t", "t2", "r"][at % 3]!, name: `${["a?", "Ａ", "图 ", "e\u0301", "nul"][at % 5]}${at}.png`, original: digest, bytes: file.size,
      width: 96, height: 80, caption: at === 3 ? null : caption,
      crop: at % 4 === 1 ? { x: 1, y: 2, width: 30, height: 40, ...(at % 8 === 1 ? { target: { width: 512, height: 640 } } : {}) } : null,
      isMirrored: at % 5 === 2, group: at % 3 === 0 ? "g" : null,
      origin: at === 4 ? { kind: "generated", createdAt: 123, infotext: "a\nSteps: 20" } : at === 5 ? { kind: "derived", from: "p00" } : null,
    };
    stock.pictures.set(`p${String(at).padStart(2, "0")}`, aPicture(`p${String(at).padStart(2, "0")}`, fields));
  }
  return stock;
}

/** What of a set an import must bring back; ids of pictures are new, and likenesses come from the pixels. */
function essence(stock: Stock): unknown {
  const { name, captionExtension, subsets, groups, mergeRules } = stock.set;
  const names = new Map([...stock.pictures.values()].map(({ id, name }) => [id, name]));
  const pictures = [...stock.pictures.values()].map(({ id, likeness, origin, ...fields }) => ({
    ...fields, hasLikeness: id !== "" && likeness !== "", origin: origin?.kind === "derived" ? { ...origin, from: names.get(origin.from) } : origin,
  }));
  return { name, captionExtension, subsets, groups, mergeRules, pictures: pictures.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

test("a whole set that is taken out and in again is the same set", async () => {
  const stock = await richStock();
  const layout = layoutOf(stock.set, stock.pictures.values());
  const files = await collect(setFiles(stock.set, layout, { original: async (hash) => stock.files.get(hash) }, () => undefined));
  const zip = await blobFrom((to) => writeZip(files.map(({ path, file }) => ({ path, size: file.size, open: () => file.stream() })), to), "application/zip");
  const back = emptyStock();
  const report = await importInto(back, { "any name.zip": await bytes(zip) });
  expect(report.unreadable).toEqual([]);
  expect(report.ignored).toEqual([]);
  expect(report.notes.filter(({ code }) => code !== "tooSmall")).toEqual([]);
  expect(essence(back)).toEqual(essence(stock));
  for (const [hash, file] of stock.files) expect(await bytes(back.files.get(hash)!)).toEqual(await bytes(file));
  // And on top of itself it changes nothing.
  const again = await importInto(back, { "any name.zip": await bytes(zip) });
  expect(again.added).toEqual([]);
  expect(essence(back)).toEqual(essence(stock));
});

test("folders for training hold what was decided, everything else byte for byte, and trainers read them", async () => {
  const turned = new Uint8Array(await art(9).withMetadata({ orientation: 6 }).jpeg().toBuffer());
  const stock = emptyStock();
  await importInto(stock, {
    "10_sls 1girl/a.png": await png(1), "10_sls 1girl/a.txt": "one", "10_sls 1girl/b.gif": new Uint8Array(await art(2).gif().toBuffer()),
    "10_sls 1girl/c.png": await png(3), "10_sls 1girl/d.jpg": turned, "reg/1_1girl/e.png": await png(5),
  });
  const cropped = [...stock.pictures.values()].find(({ name }) => name === "c.png")!;
  stock.pictures.set(cropped.id, { ...cropped, crop: { x: 0, y: 0, width: 8, height: 8 }, caption: "" });
  const layout = layoutOf(stock.set, stock.pictures.values());
  const gone: string[] = [];
  const rendered: string[] = [];
  const files = await collect(trainingFiles(layout, {
    original: async (hash) => (hash === [...stock.pictures.values()].find(({ name }) => name === "e.png")?.original ? undefined : stock.files.get(hash)),
    async render(_, picture) {
      rendered.push(picture.name);
      return new Blob(["png"]);
    },
  }, ({ name }) => void gone.push(name)));
  expect(files.map(({ path }) => path)).toEqual(["a.png", "a.txt", "b.png", "c.png", "d.png"].map((name) => `train_new/10_sls 1girl/${name}`));
  expect(rendered).toEqual(["b.gif", "c.png", "d.jpg"]);
  expect(gone).toEqual(["e.png"]);
  expect(await bytes(files[0]!.file)).toEqual(await png(1));
  const { subsets } = understandFolder(files.map(({ path, file }) => ({ path, size: file.size })), ".txt");
  expect(subsets.map(({ repeats, classTokens, images }) => [repeats, classTokens, images.length])).toEqual([[10, "sls 1girl", 4]]);
  expect(JSON.parse(await metadataFile(layout).text())).toEqual({
    "train_new/10_sls 1girl/a.png": { caption: "one" }, "train_new/10_sls 1girl/c.png": { caption: "" },
  });
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])("orientation %i turns pixels as sharp turns them", async (orientation) => {
  const image = { width: 96, height: 80, data: new Uint8Array(await art(1).ensureAlpha().raw().toBuffer()) };
  const expected = await art(1).withMetadata({ orientation }).png().toBuffer()
    .then(async (file) => (await import("sharp")).default(file).autoOrient().ensureAlpha().raw().toBuffer({ resolveWithObject: true }));
  const turned = orient(image, orientation);
  expect([turned.width, turned.height]).toEqual([expected.info.width, expected.info.height]);
  expect(Buffer.from(turned.data).equals(expected.data)).toBe(true);
});
