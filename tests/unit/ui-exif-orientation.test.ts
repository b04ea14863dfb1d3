import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { withoutOrientation } from "../../src/workers/exif-orientation.ts";

const width = 6;
const height = 4;
const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37) % 256);

async function turned(format: "jpeg" | "webp" | "png"): Promise<Uint8Array<ArrayBuffer>> {
  const picture = sharp(pixels, { raw: { width, height, channels: 3 } }).withMetadata({ orientation: 6 });
  return new Uint8Array(await picture.toFormat(format).toBuffer());
}

describe("withoutOrientation", () => {
  for (const format of ["jpeg", "webp", "png"] as const) {
    it(`hides the turn of a ${format} from decoders and leaves its pixels`, async () => {
      const file = await turned(format);
      expect((await sharp(file).metadata()).orientation).toBe(6);
      const plain = withoutOrientation(file);
      expect((await sharp(plain).metadata()).orientation ?? 1).toBe(1);
      expect(await sharp(plain).raw().toBuffer()).toEqual(await sharp(file).raw().toBuffer());
    });
  }

  it("does not change the bytes that it was given", async () => {
    const file = await turned("jpeg");
    const before = file.slice();
    withoutOrientation(file);
    expect(file).toEqual(before);
  });

  it("gives other and broken files back without failing", async () => {
    const jpeg = await turned("jpeg");
    for (const bytes of [new Uint8Array(), Uint8Array.of(0x42, 0x4d, 1), jpeg.slice(0, 5), Uint8Array.of(0xff, 0xd8, 0xff, 0xe1)]) {
      expect(withoutOrientation(bytes)).toHaveLength(bytes.length);
    }
  });

  it("ends on a PNG whose chunk claims more bytes than there are", async () => {
    const png = await turned("png");
    const lying = png.slice();
    new DataView(lying.buffer).setUint32(8, 0xffff_ffff);
    expect(withoutOrientation(lying)).toEqual(lying);
  });
});
