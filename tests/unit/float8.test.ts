/** e4m3 of every f16 as PyTorch rounds it (tests/reference/make_half_replays.py). */
import { expect, it } from "vitest";
import { readFile } from "node:fs/promises";
import { float8FromHalves } from "../../src/formats/float8.ts";

it("rounds every finite f16 as PyTorch's float8_e4m3fn does", async () => {
  const text = await readFile(new URL("../reference/data/float8.json", import.meta.url), "utf8");
  const { first } = JSON.parse(text) as { first: readonly number[] };
  const halves = Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits);
  const wanted = new Uint8Array(halves.length);
  first.forEach((bits, code) => wanted.fill(code, bits));
  expect(float8FromHalves(halves)).toEqual(wanted);
  expect(float8FromHalves(halves.map((bits) => bits | 0x8000))).toEqual(wanted.map((code) => code | 0x80));
});
