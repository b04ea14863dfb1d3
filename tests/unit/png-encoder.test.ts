import sharp from "sharp";
import { expect, it } from "vitest";
import { encodePng } from "../../src/formats/png-encoder.ts";

const noise = (width: number, height: number, alpha: (pixel: number) => number) => ({
  width, height, data: Uint8Array.from({ length: width * height * 4 }, (_, at) => (at % 4 === 3 ? alpha(at >> 2) : (at * at * 7 + at) % 251)),
});

it.each([[1, 1], [7, 5], [64, 33]])("writes PNG files that libvips reads to the same pixels, transparent ones too: %i×%i", async (width, height) => {
  const image = noise(width, height, (pixel) => (pixel * 37) % 256);
  const { data, info } = await sharp(await encodePng(image)).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([width, height, 4]);
  expect(new Uint8Array(data)).toEqual(image.data);
});

it("has no alpha channel where nothing is transparent, and packs flat areas", async () => {
  const image = noise(20, 10, () => 255);
  const { data, info } = await sharp(await encodePng(image)).raw().toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(3);
  expect(new Uint8Array(data)).toEqual(image.data.filter((_, at) => at % 4 !== 3));
  expect((await encodePng({ width: 256, height: 256, data: new Uint8Array(256 * 256 * 4).fill(255) })).length).toBeLessThan(2000);
});
