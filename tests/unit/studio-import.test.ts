/** Bad input of every kind: what is understood is kept byte for byte, and what is not is said. */
import { deflateSync, crc32 } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import type { ImportReport } from "../../src/studio/import-report.ts";
import type { Crop } from "../../src/studio/picture.ts";
import { writePngText } from "../../src/formats/png-text.ts";
import { art, emptyStock, importInto, png, sha256 } from "./harness/import-files.ts";
import type { ImportOptions, Stock } from "./harness/import-files.ts";
import { makeZip } from "./harness/make-zip.ts";

type Files = Readonly<Record<string, Uint8Array | string>>;

interface Case extends ImportOptions {
  readonly what: string;
  readonly files: () => Files | Promise<Files>;
  /** What was imported before. */
  readonly before?: () => Promise<Files>;
  /** Names of the pictures in the set, in order. */
  readonly names: readonly string[];
  readonly captions?: readonly (string | null)[];
  /** [code, path] of notes, in order. */
  readonly notes?: readonly (readonly [string, string])[];
  readonly unreadable?: readonly (readonly [string, string])[];
  readonly ignored?: readonly (readonly [string, string])[];
  readonly left?: readonly string[];
  readonly end?: ImportReport["end"];
}

let a: Uint8Array;
let b: Uint8Array;
let c: Uint8Array;
beforeAll(async () => {
  [a, b, c] = await Promise.all([png(1), png(2), png(3)]);
});

const bytesOf = async (image: { toBuffer(): Promise<Buffer> }): Promise<Uint8Array> => new Uint8Array(await image.toBuffer());
const chunk = (type: string, data: Uint8Array): Buffer => {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
};
/** A PNG of one bit a pixel that says it is as large as this. */
function hugePng(width: number, height: number): Uint8Array {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head[8] = 1;
  const rows = deflateSync(Buffer.alloc(1000));
  return Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]), chunk("IHDR", head), chunk("IDAT", rows), chunk("IEND", Buffer.alloc(0))]);
}
const animatedPng = (): Uint8Array => Buffer.concat([a.subarray(0, 33), chunk("acTL", Uint8Array.of(0, 0, 0, 2, 0, 0, 0, 0)), a.subarray(33)]);
const utf16 = (text: string): Uint8Array => Buffer.from(`\uFEFF${text}`, "utf16le");
const gbk = Buffer.from("c5aebaa22c20b3a4b7a2", "hex");
const tags = Array.from({ length: 300 }, (_, i) => `tag number ${i}`).join(", ");
/** A set's own file, for pictures of 96×80 with these crops. */
const setFile = (crops: Readonly<Record<string, Crop>>): string => {
  const pictures = Object.entries(crops).map(([path, crop]) => [path, {
    id: path, name: path.slice(path.lastIndexOf("/") + 1), subset: "s", caption: null, crop, isMirrored: false, group: null, origin: null,
  }]);
  const subsets = [{ id: "s", isReg: false, repeats: 10, identifier: "", className: "x" }];
  return JSON.stringify({ lorasmithSet: 1, name: "x", captionExtension: ".txt", subsets, groups: [], mergeRules: [], pictures: Object.fromEntries(pictures) });
};
const small = { entries: 20, entryBytes: 1024 ** 2, totalBytes: 4 * 1024 ** 2, ratio: 50, freeBytes: 10_000 };

const cases: readonly Case[] = [
  { what: "loose pictures", files: () => ({ "a.png": a, "b.png": b }), names: ["a.png", "b.png"] },
  { what: "nothing", files: () => ({}), names: [] },
  { what: "no picture at all", files: () => ({ "a.exe": "MZ", "notes.md": "x" }), names: [], ignored: [["a.exe", "notAPicture"], ["notes.md", "notAPicture"]] },
  { what: "what systems leave behind", files: () => ({ "x/.DS_Store": "x", "x/Thumbs.db": "y", "x/a.png": a, "__MACOSX/x/._a.png": "z" }), names: ["a.png"], ignored: [["__MACOSX/x/._a.png", "hidden"], ["x/.DS_Store", "hidden"], ["x/Thumbs.db", "hidden"]] },
  { what: "an empty file", files: () => ({ "a.png": a, "zero.png": "" }), names: ["a.png"], unreadable: [["image.undecodable", "zero.png"]] },
  { what: "text that is called a picture", files: () => ({ "a.png": "hello, I am no picture, whatever my name says" }), names: [], unreadable: [["image.undecodable", "a.png"]] },
  { what: "a picture that is cut off", files: () => ({ "a.png": a.slice(0, 200), "b.png": b }), names: ["b.png"], unreadable: [["image.undecodable", "a.png"]] },
  { what: "a header and nothing else", files: () => ({ "a.jpg": Uint8Array.of(0xff, 0xd8, 0xff, 0xe0) }), names: [], unreadable: [["image.undecodable", "a.jpg"]] },
  { what: "a JPEG without its end", files: async () => ({ "a.jpg": (await bytesOf(art(1).jpeg())).slice(0, 400) }), names: [], unreadable: [["image.undecodable", "a.jpg"]] },
  { what: "more than the megapixels that can be read", files: () => ({ "big.png": hugePng(16_000, 16_000), "a.png": a }), names: ["a.png"], unreadable: [["image.tooLarge", "big.png"]] },
  { what: "a side that is too long", files: () => ({ "long.png": hugePng(100_000, 1) }), names: [], unreadable: [["image.tooLarge", "long.png"]] },
  { what: "a size of nothing", files: () => ({ "none.png": hugePng(0, 10) }), names: [], unreadable: [["image.undecodable", "none.png"]] },
  { what: "a GIF that says it is huge", files: () => ({ "x.gif": Buffer.from("GIF89a\uFFFF", "latin1").fill(0xff, 6).subarray(0, 7), "y.gif": Buffer.concat([Buffer.from("GIF89a"), Buffer.alloc(40, 0xff)]) }), names: [], unreadable: [["image.undecodable", "x.gif"], ["image.tooLarge", "y.gif"]] },
  { what: "another ending than the file has", files: async () => ({ "a.png": await bytesOf(art(1).jpeg()), "b.jpg": b }), names: ["a.png", "b.jpg"], notes: [["wrongEnding", "a.png"], ["wrongEnding", "b.jpg"]] },
  { what: "an ending that trainers pass over", files: async () => ({ "a.jfif": await bytesOf(art(1).jpeg()) }), names: ["a.jpg"], notes: [["renamed", "a.jfif"]] },
  { what: "no ending", files: () => ({ photo: a, "photo.v2": b }), names: ["photo.png", "photo.v2.png"], notes: [["renamed", "photo"], ["renamed", "photo.v2"]] },
  { what: "a HEIC name on a JPEG", files: async () => ({ "IMG_1.HEIC": await bytesOf(art(1).jpeg()) }), names: ["IMG_1.jpg"], notes: [["renamed", "IMG_1.HEIC"]] },
  { what: "a GIF that is called PNG", files: async () => ({ "a.png": await bytesOf(art(1).gif()) }), names: ["a.gif"], notes: [["renamed", "a.png"], ["converted", "a.png"]] },
  { what: "a real HEIC", files: () => ({ "a.heic": Buffer.concat([Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic"), Buffer.alloc(40)]) }), names: [], ignored: [["a.heic", "unsupportedPicture"]] },
  { what: "a HEIC that is called PNG", files: () => ({ "a.png": Buffer.concat([Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic"), Buffer.alloc(40)]) }), names: [], unreadable: [["import.unsupported", "a.png"]] },
  { what: "an AVIF", files: async () => ({ "a.avif": await bytesOf(art(1).avif()) }), names: ["a.avif"], notes: [["converted", "a.avif"]] },
  { what: "an animated PNG", files: () => ({ "a.png": animatedPng() }), names: ["a.png"], notes: [["animated", "a.png"]] },
  { what: "an animated GIF", files: () => ({ "a.gif": animatedGif() }), names: ["a.gif"], notes: [["animated", "a.gif"], ["converted", "a.gif"], ["tooSmall", "a.gif"]] },
  { what: "EXIF that turns the picture", files: async () => ({ "a.jpg": await bytesOf(art(1).withMetadata({ orientation: 6 }).jpeg()) }), names: ["a.jpg"] },
  { what: "CMYK", files: async () => ({ "a.jpg": await bytesOf(art(1).toColourspace("cmyk").jpeg()) }), names: ["a.jpg"], notes: [["cmyk", "a.jpg"]] },
  { what: "16 bits a channel", files: async () => ({ "a.png": await bytesOf(art(1).toColourspace("rgb16").png()) }), names: ["a.png"], notes: [["deep", "a.png"]] },
  { what: "a picture of one pixel", files: () => png(1, 1, 1).then((one) => ({ "a.png": one })), names: ["a.png"], notes: [["tooSmall", "a.png"]] },
  { what: "a small picture", files: () => png(1, 31, 90).then((one) => ({ "a.png": one })), names: ["a.png"], notes: [["tooSmall", "a.png"]] },
  { what: "the same picture twice", files: () => ({ "a.png": a, "copy.png": a }), names: ["a.png"], notes: [["duplicate", "copy.png"]] },
  { what: "a picture that is in the set", before: async () => ({ "a.png": a }), files: () => ({ "other/a.png": a, "other/b.png": b }), names: ["a.png", "b.png"], notes: [["duplicate", "other/a.png"]] },
  { what: "a caption with a picture that is in the set without one", before: async () => ({ "a.png": a }), files: () => ({ "x.png": a, "x.txt": "news" }), names: ["a.png"], captions: ["news"], notes: [["duplicate", "x.png"]] },
  { what: "a caption with a picture that is in the set with one", before: async () => ({ "a.png": a, "a.txt": "mine" }), files: () => ({ "x.png": a, "x.txt": "theirs" }), names: ["a.png"], captions: ["mine"], notes: [["duplicate", "x.png"]] },
  { what: "the same picture for training and regularization", files: () => ({ "t/10_sls 1girl/a.png": a, "reg_t/1_1girl/z.png": a }), names: ["a.png"], notes: [["inOtherKind", "reg_t/1_1girl/z.png"]] },
  { what: "a picture that was saved again", files: async () => ({ "a.png": a, "b.jpg": await bytesOf(art(1).resize(72).jpeg({ quality: 80 })) }), names: ["a.png", "b.jpg"], notes: [["nearDuplicate", "b.jpg"]] },
  { what: "names that differ by case", files: () => ({ "x/a.png": a, "y/A.PNG": b, "z/a.png": c }), names: ["a.png", "A-2.PNG", "a-3.png"], notes: [["renamed", "y/A.PNG"], ["renamed", "z/a.png"]] },
  { what: "names that differ by composition", files: () => ({ "x/é.png": a, "y/e\u0301.png": b }), names: ["é.png", "e\u0301-2.png"], notes: [["renamed", "y/e\u0301.png"]] },
  { what: "a name that is taken in the set", before: async () => ({ "a.png": a }), files: () => ({ "a.png": b }), names: ["a.png", "a-2.png"], notes: [["renamed", "a.png"]] },
  { what: "captions beside", files: () => ({ "a.png": a, "a.txt": "one, two\nthree\n", "b.png": b, "b.caption": "four" }), names: ["a.png", "b.png"], captions: ["one, two\nthree\n", "four"] },
  { what: "captions with endings in capitals", files: () => ({ "a.png": a, "a.TXT": "one" }), names: ["a.png"], captions: ["one"] },
  { what: "kohya's names of faces", files: () => ({ "a_1_2_30_40.png": a, "a.txt": "face" }), names: ["a_1_2_30_40.png"], captions: ["face"] },
  { what: "a caption in GBK", files: () => ({ "a.png": a, "a.txt": gbk }), names: ["a.png"], captions: ["女孩, 长发"], notes: [["reencodedCaption", "a.txt"]] },
  { what: "a caption in UTF-16", files: () => ({ "a.png": a, "a.txt": utf16("一个女孩, smile") }), names: ["a.png"], captions: ["一个女孩, smile"], notes: [["reencodedCaption", "a.txt"]] },
  { what: "a caption with a mark of UTF-8", files: () => ({ "a.png": a, "a.txt": "\uFEFFone" }), names: ["a.png"], captions: ["one"] },
  { what: "a caption of 300 tags", files: () => ({ "a.png": a, "a.txt": tags }), names: ["a.png"], captions: [tags] },
  { what: "an empty caption", files: () => ({ "a.png": a, "a.txt": "" }), names: ["a.png"], captions: [""] },
  { what: "a caption that is no text", files: () => ({ "a.png": a, "a.txt": Uint8Array.of(1, 0, 2, 0xff, 0) }), names: ["a.png"], captions: [null], notes: [["unreadableCaption", "a.txt"]] },
  { what: "a caption without a picture", files: () => ({ "a.png": a, "b.txt": "lonely" }), names: ["a.png"], captions: [null] },
  { what: "captions for pictures that are in the set", before: async () => ({ "10_sls/a.png": a, "10_cpc/a.png": b }), files: () => ({ "10_cpc/a.txt": "found", "a.txt": "nobody knows whose" }), names: ["a.png", "a.png"], captions: ["found", null] },
  { what: "metadata of sd-scripts", files: () => ({ "t/10_x/a.png": a, "t/10_x/b.png": b, "t/10_x/b.txt": "own", "meta.json": JSON.stringify({ "/old/10_x/a": { caption: "c", tags: "t1, t2" }, "b.png": { tags: "not used" } }) }), names: ["a.png", "b.png"], captions: ["c, t1, t2", "own"] },
  { what: "metadata line by line", files: () => ({ "a.png": a, "metadata.jsonl": '{"file_name": "a.png", "text": "from a line"}\n' }), names: ["a.png"], captions: ["from a line"] },
  { what: "metadata for pictures that are in the set", before: async () => ({ "10_sls/a.png": a }), files: () => ({ "meta.json": '{"10_sls/a.png": {"tags": "late"}}' }), names: ["a.png"], captions: ["late"], ignored: [["meta.json", "notAPicture"]] },
  { what: "JSON that is something else", files: () => ({ "a.png": a, "package.json": '{"name": "x", "scripts": {"a": "b"}}', "broken.json": "{" }), names: ["a.png"], captions: [null], ignored: [["broken.json", "notAPicture"], ["package.json", "notAPicture"]] },
  { what: "a set's file that is damaged", files: () => ({ "a.png": a, "lorasmith.json": '{"lorasmithSet": 1, "pictures": 7}' }), names: ["a.png"], unreadable: [["studioSet.damaged", "lorasmith.json"]], ignored: [["lorasmith.json", "notAPicture"]] },
  { what: "a set's file of a newer program", files: () => ({ "a.png": a, "lorasmith.json": '{"lorasmithSet": 99}' }), names: ["a.png"], unreadable: [["studioSet.newer", "lorasmith.json"]], ignored: [["lorasmith.json", "notAPicture"]] },
  { what: "a set's file with crops outside of their pictures", files: () => ({ "10_x/a.png": a, "10_x/b.png": b, "10_x/c.png": c, "lorasmith.json": setFile({ "10_x/a.png": { x: 90, y: 0, width: 7, height: 80 }, "10_x/b.png": { x: 0, y: 0, width: 96, height: 80, target: { width: 1e6, height: 1e6 } }, "10_x/c.png": { x: 89, y: 0, width: 7, height: 80 } }) }), names: ["a.png", "b.png", "c.png"], notes: [["cropLost", "10_x/a.png"], ["cropLost", "10_x/b.png"]], ignored: [] },
  { what: "folders beside kohya's", files: () => ({ "t/10_x/a.png": a, "t/10_x/deep/b.png": b, "t/c.png": c }), names: ["a.png"], ignored: [["t/10_x/deep/b.png", "nested"], ["t/c.png", "outsideRepeatsFolders"]] },
  { what: "a zip", files: () => ({ "x.zip": makeZip([{ name: "a.png", data: a }, { name: "a.txt", data: "one" }]) }), names: ["a.png"], captions: ["one"] },
  { what: "a zip without its ending", files: () => ({ download: makeZip([{ name: "a.png", data: a }]) }), names: ["a.png"] },
  { what: "a zip in a zip", files: () => ({ "x.zip": makeZip([{ name: "in.zip", data: makeZip([{ name: "a.png", data: a }]) }, { name: "b.png", data: b }]) }), names: ["b.png", "a.png"] },
  { what: "a zip in a zip in a zip", files: () => ({ "x.zip": makeZip([{ name: "in.zip", data: makeZip([{ name: "deep.zip", data: makeZip([{ name: "a.png", data: a }]) }]) }]) }), names: [], ignored: [["x/in/deep.zip", "notAPicture"]] },
  { what: "a zip that leads out of itself", files: () => ({ "x.zip": makeZip([{ name: "../../a.png", data: a }, { name: "/etc/b.png", data: b }, { name: "C:\\Users\\c.png", data: c }]) }), names: ["a.png", "c.png", "b.png"], notes: [["unsafePath", "x/a.png"], ["unsafePath", "x/etc/b.png"], ["unsafePath", "x/Users/c.png"]] },
  { what: "a zip with one path twice", files: () => ({ "x.zip": makeZip([{ name: "a.png", data: a }, { name: "../a.png", data: b }]) }), names: ["a-2.png", "a.png"], notes: [["renamed", "x/a-2.png"]] },
  { what: "a zip with Chinese names of Windows", files: () => ({ "x.zip": makeZip([{ name: Buffer.from("c5aebaa22e706e67", "hex"), data: a }]) }), names: ["女孩.png"] },
  { what: "a zip with a packed bomb", limits: small, files: () => ({ "x.zip": makeZip([{ name: "bomb.png", data: new Uint8Array(900_000) }, { name: "a.png", data: a, isStored: true }]) }), names: ["a.png"], unreadable: [["zip.bomb", "x/bomb.png"]] },
  { what: "a zip of more than fits", limits: small, files: () => ({ "x.zip": makeZip(Array.from({ length: 6 }, (_, i) => ({ name: `${i}.png`, data: new Uint8Array(900_000) }))), "a.png": a }), names: ["a.png"], unreadable: [["zip.bomb", "x.zip"]] },
  { what: "a zip of too many files", limits: small, files: () => ({ "x.zip": makeZip(Array.from({ length: 21 }, (_, i) => ({ name: `${i}.txt`, data: "x" }))) }), names: [], unreadable: [["zip.bomb", "x.zip"]] },
  { what: "a zip that says less than there is", files: () => ({ "x.zip": makeZip([{ name: "a.png", data: a, claimedSize: 100 }, { name: "b.png", data: b }]) }), names: ["b.png"], unreadable: [["zip.entryDamaged", "x/a.png"]] },
  { what: "a zip that says more than there is", files: () => ({ "x.zip": makeZip([{ name: "a.png", data: a, claimedSize: 100_000 }, { name: "b.png", data: b }]) }), names: ["b.png"], unreadable: [["zip.entryDamaged", "x/a.png"]] },
  { what: "a zip with a wrong checksum", files: () => ({ "x.zip": makeZip([{ name: "a.png", data: a, crc: 1 }, { name: "b.png", data: b }]) }), names: ["b.png"], unreadable: [["zip.entryDamaged", "x/a.png"]] },
  { what: "a zip with a password", files: () => ({ "x.zip": makeZip([{ name: "a.png", data: a, isLocked: true }, { name: "b.png", data: b }]) }), names: ["b.png"], unreadable: [["zip.entryLocked", "x/a.png"]] },
  { what: "a zip that is cut off", files: () => ({ "x.zip": makeZip([{ name: "a.png", data: a }]).slice(0, 150), "b.png": b }), names: ["b.png"], unreadable: [["zip.damaged", "x.zip"]] },
  { what: "a zip that is none", files: () => ({ "x.zip": "no zip", "b.png": b }), names: ["b.png"], unreadable: [["zip.damaged", "x.zip"]] },
  { what: "no room in mid-import", room: 2, files: () => ({ "a.png": a, "b.png": b, "c.png": c }), names: ["a.png", "b.png"], left: ["c.png"], end: "storageFull" },
  { what: "no room at all", room: 0, files: () => ({ "a.png": a }), names: [], left: ["a.png"], end: "storageFull" },
  { what: "a stop in mid-import", stopAt: 1, files: () => ({ "a.png": a, "b.png": b, "c.png": c }), names: ["a.png"], left: ["b.png", "c.png"], end: "cancelled" },
];

/** Two frames of 2×2 pixels. */
function animatedGif(): Uint8Array {
  const screen = [...Buffer.from("GIF89a"), 2, 0, 2, 0, 0x80, 0, 0, 0, 0, 0, 255, 255, 255];
  const frame = [0x2c, 0, 0, 0, 0, 2, 0, 2, 0, 0, 2, 3, 0x44, 0x02, 0x05, 0];
  return Uint8Array.from([...screen, ...frame, ...frame, 0x3b]);
}

test("there are at least fifty cases", () => expect(cases.length).toBeGreaterThanOrEqual(50));

test.each(cases)("importing $what", async (row) => {
  const stock = emptyStock();
  const before = (await row.before?.()) ?? {};
  await importInto(stock, before);
  const earlier = new Map(stock.pictures);
  const files = await row.files();
  const report = await importInto(stock, files, row);
  const pictures = [...stock.pictures.values()].sort((x, y) => (x.id < y.id ? -1 : 1));
  expect(pictures.map(({ name }) => name)).toEqual(row.names);
  const captions = pictures.map(({ caption }) => caption);
  expect(captions).toEqual(row.captions ?? captions.map(() => null));
  expect(report.notes.map(({ code, path }) => [code, path])).toEqual(row.notes ?? []);
  expect(report.unreadable.map(({ code, path }) => [code, path])).toEqual(row.unreadable ?? []);
  expect(report.ignored.map(({ reason, path }) => [path, reason])).toEqual(row.ignored ?? []);
  expect(report.left).toEqual(row.left ?? []);
  expect(report.end).toBe(row.end ?? "complete");
  await expectNothingLost(stock, [before, files]);
  for (const [id, picture] of earlier) expect({ ...stock.pictures.get(id), caption: null }).toEqual({ ...picture, caption: null });
});

/** Every picture of the set has its file, and files that lay loose are there byte for byte. */
async function expectNothingLost(stock: Stock, heaps: readonly Files[]): Promise<void> {
  const files = heaps.flatMap((heap) => Object.entries(heap));
  for (const picture of stock.pictures.values()) {
    const file = stock.files.get(picture.original);
    const bytes = new Uint8Array(await file!.arrayBuffer());
    expect(sha256(bytes)).toBe(picture.original);
    expect(bytes.length).toBe(picture.bytes);
  }
  const given = new Set(files.map(([, file]) => sha256(Buffer.from(file))));
  const hasArchive = files.some(([path]) => path.endsWith(".zip") || path === "download");
  const strange = [...stock.pictures.values()].filter(({ original }) => !hasArchive && !given.has(original));
  expect(strange).toEqual([]);
}

test("a turned picture has the size that people see", async () => {
  const stock = emptyStock();
  await importInto(stock, { "a.jpg": await bytesOf(art(1, 96, 80).withMetadata({ orientation: 6 }).jpeg()) });
  expect([...stock.pictures.values()].map(({ width, height }) => [width, height])).toEqual([[80, 96]]);
});

test("a picture that the webui drew knows how, whatever the picture beside it is", async () => {
  const infotext = "smith, 1boy\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 64x64";
  const drawn = writePngText(new Uint8Array(a), "parameters", infotext);
  const damaged = Buffer.concat([Buffer.from(b).subarray(0, 33), chunk("zTXt", Buffer.from("parameters\0\0no zlib data", "latin1")), Buffer.from(b).subarray(33)]);
  const stock = emptyStock();
  await importInto(stock, { "drawn.png": drawn, "damaged.png": damaged, "c.png": c });
  expect([...stock.pictures.values()].map(({ name, origin }) => [name, origin?.kind === "generated" ? origin.infotext : origin])).toEqual([
    ["c.png", null], ["damaged.png", null], ["drawn.png", infotext],
  ]);
});
