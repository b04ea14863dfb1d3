import { readFileSync } from "node:fs";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { readPngTexts, writePngText } from "../../src/formats/png-text.ts";

/** Made by tests/reference/make_infotexts.py with Pillow. */
const fixture = JSON.parse(readFileSync(new URL("fixtures/png-texts.json", import.meta.url), "utf8")) as {
  plain: string;
  files: Record<string, { text: string; png: string }>;
  packed: { texts: Record<string, string>; png: string };
};
const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(base64, "base64"));
const plain = bytesOf(fixture.plain);

describe("texts in PNG files", () => {
  it.each(Object.entries(fixture.files))("are written byte by byte as Pillow does: %s", (_, { text, png }) => {
    expect(writePngText(plain, "parameters", text)).toEqual(bytesOf(png));
  });

  it.each(Object.entries(fixture.files))("are read: %s", async (_, { text, png }) => {
    expect(await readPngTexts(bytesOf(png))).toEqual(new Map([["parameters", text]]));
  });

  it("are read where they are packed", async () => {
    expect(Object.fromEntries(await readPngTexts(bytesOf(fixture.packed.png)))).toEqual(fixture.packed.texts);
  });

  it("take the place of one of the same name and leave others and the pixels alone", async () => {
    const first = writePngText(writePngText(plain, "parameters", "old"), "Software", "x");
    const second = writePngText(first, "parameters", "新");
    expect(Object.fromEntries(await readPngTexts(second))).toEqual({ Software: "x", parameters: "新" });
    const pixels = (png: Uint8Array) => sharp(png).raw().toBuffer();
    expect(await pixels(second)).toEqual(await pixels(plain));
  });

  it("come back whatever they are", async () => {
    for (const text of ["a\u0080\u00ff\n\r\t", "\u0100", "x".repeat(100_000), "\ud83d\ude42 é"]) {
      expect((await readPngTexts(writePngText(plain, "k", text))).get("k")).toBe(text);
    }
  });
});

describe("a damaged PNG file", () => {
  const code = async (png: Uint8Array<ArrayBuffer>) => readPngTexts(png).then(() => "fine", ({ code }: { code: string }) => code);

  it("is told from one of another kind", async () => {
    expect(await code(new TextEncoder().encode("GIF89a"))).toBe("png.notPng");
    expect(await code(new Uint8Array())).toBe("png.notPng");
    expect(() => writePngText(new Uint8Array(3), "k", "x")).toThrow(expect.objectContaining({ code: "png.notPng" }));
  });

  it("is refused wherever it is cut off", async () => {
    for (let length = 8; length < plain.length; length++) expect(await code(plain.slice(0, length))).toBe("png.damaged");
  });

  it("is refused whichever byte behind its signature is changed", async () => {
    const whole = bytesOf(fixture.files["latin"]!.png);
    for (let at = 8; at < whole.length; at++) {
      const changed = whole.slice();
      changed[at]! ^= 1;
      expect([at, await code(changed)]).toEqual([at, "png.damaged"]);
    }
  });

  it("is read without what follows its end", async () => {
    const longer = new Uint8Array([...bytesOf(fixture.files["latin"]!.png), 1, 2, 3]);
    expect((await readPngTexts(longer)).size).toBe(1);
  });
});
