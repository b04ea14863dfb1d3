import { expect, test } from "vitest";
import { matchMetadata, readCaptionMetadata, writeCaptionMetadata } from "../../src/studio/caption-metadata.ts";
import { decodeText } from "../../src/studio/decode-text.ts";
import { caseKey, claimName, safeName } from "../../src/studio/safe-names.ts";
import fixture from "./fixtures/caption-encodings.json" with { type: "json" };

const named: Readonly<Record<string, string>> = { "utf-8-sig": "utf-8", "utf-16": "utf-16le", "utf-16-le": "utf-16le", "utf-16-be": "utf-16be" };

test.each(fixture)("a caption is read as it was written: $name in $encoding", ({ encoding, text, bytes }) => {
  const expected = /^[ -~]*$/.test(text) && encoding === "utf-8" ? "utf-8" : (named[encoding] ?? encoding);
  expect(decodeText(Buffer.from(bytes, "base64"))).toEqual({ text, encoding: expected });
});

test("what is no text is not taken for one", () => {
  expect(decodeText(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13))).toBeUndefined();
  expect(decodeText(Uint8Array.of(1, 2, 3, 0x80, 0x81))).toBeUndefined();
  expect(decodeText(new Uint8Array())).toEqual({ text: "", encoding: "utf-8" });
});

test("metadata is read in every form that tools write", () => {
  const expected = [["a/b.png", "a girl, 1girl, solo"]];
  const row = { caption: "a girl", tags: "1girl, solo" };
  expect([...readCaptionMetadata(JSON.stringify({ "a/b.png": row }))!]).toEqual(expected);
  expect([...readCaptionMetadata(`${JSON.stringify({ image_path: "a/b.png", ...row })}\n`)!]).toEqual(expected);
  expect([...readCaptionMetadata(`{"file_name":"x.png","text":"one"}\r\n{"file_name":"y.png","text":"two"}\r\n`)!]).toEqual([["x.png", "one"], ["y.png", "two"]]);
  expect([...readCaptionMetadata(JSON.stringify([{ image: "x.png", caption: "one" }]))!]).toEqual([["x.png", "one"]]);
  expect([...readCaptionMetadata('{"x.png": "one"}')!]).toEqual([["x.png", "one"]]);
  const others = ["", "[1, 2]", "{", '{"learning_rate": 0.1}', "null", '{"a": {"b": 1}}'];
  expect(others.filter((other) => readCaptionMetadata(other) !== undefined)).toEqual([]);
});

test("captions of another computer's paths find their pictures, and doubtful ones none", () => {
  const pictures = ["set/10_sls/a.png", "set/10_cpc/a.png", "set/10_sls/b.c.jpg", "loose.png"];
  const metadata = new Map([
    ["C:\\train\\10_sls\\a.png", "first"], ["/home/u/10_cpc/a", "second"], ["b.c", "third"], ["elsewhere/a.png", "nobody's"], ["loose.webp", "fourth"],
  ]);
  expect(Object.fromEntries(matchMetadata(metadata, pictures))).toEqual({
    "set/10_sls/a.png": "first", "set/10_cpc/a.png": "second", "set/10_sls/b.c.jpg": "third", "loose.png": "fourth",
  });
});

test("metadata that is written is read again", () => {
  const pictures = [{ path: "10_sls/a.png", caption: "一\n\"two\", \u{1f600}" }, { path: "__proto__", caption: "x" }, { path: "c.png", caption: null }];
  const read = readCaptionMetadata(writeCaptionMetadata(pictures));
  expect([...read!]).toEqual([["10_sls/a.png", "一\n\"two\", \u{1f600}"], ["__proto__", "x"]]);
});

test.each([
  ["a.png", "a.png"], ["一张图.png", "一张图.png"], ["a:b?.png", "a_b_.png"], ["a/b\\c", "a_b_c"], ["CON", "_CON"], ["con.png", "_con.png"],
  ["com1.tar.gz", "_com1.tar.gz"], ["LPT¹", "_LPT¹"], ["console", "console"], ["10_sls. ", "10_sls__"], ["a\u0000\u001fb", "a__b"], ["", "_"],
  ["\ud800x", "_x"], ["nul .txt", "_nul .txt"],
])("the name %j is %j on every system", (name, safe) => {
  expect(safeName(name)).toBe(safe);
});

test("long names keep whole characters", () => {
  const short = safeName("漢".repeat(300));
  expect(new TextEncoder().encode(short).length).toBeLessThanOrEqual(200);
  expect(short).toBe("漢".repeat(66));
});

test("names that some system takes for one stay apart", () => {
  expect(caseKey("É.PNG")).toBe(caseKey("e\u0301.png"));
  const taken = new Set<string>();
  expect(["a.png", "A.png", "a.PNG", "a.jpg", "a-2.png"].map((name) => claimName(name, taken))).toEqual(["a.png", "A-2.png", "a-3.PNG", "a.jpg", "a-2-2.png"]);
});
