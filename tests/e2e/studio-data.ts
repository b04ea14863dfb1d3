/** Pictures for the dataset studio's tests, and the way in. */
import type { Page } from "playwright/test";
import sharp from "sharp";

export interface DrawnPicture {
  readonly name: string;
  /** As shown. */
  readonly width: number;
  readonly height: number;
  /** Where something bright and patterned stands, as shares of width and height. */
  readonly subject: readonly [x: number, y: number];
  readonly caption?: string;
  /** Stored on its side, as phones do, with EXIF data that says so. */
  readonly isTurned?: boolean;
}

/** A ground that gets lighter downwards, and on it a disc with spokes. */
async function draw({ width, height, subject, isTurned }: DrawnPicture): Promise<Buffer> {
  const radius = Math.min(width, height) * 0.22;
  const [x, y] = [subject[0] * width, subject[1] * height];
  const spokes = Array.from({ length: 9 }, (_, i) => {
    const turn = (i * 2 * Math.PI) / 9;
    return `<path d="M${x} ${y} L${x + radius * Math.cos(turn)} ${y + radius * Math.sin(turn)}" stroke="#233" stroke-width="${radius / 9}"/>`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <defs><linearGradient id="g" x1="0" y1="0" x2="0" y2="1"><stop stop-color="#7a98b8"/><stop offset="1" stop-color="#b9c7a0"/></linearGradient></defs>
    <rect width="100%" height="100%" fill="url(#g)"/><circle cx="${x}" cy="${y}" r="${radius}" fill="#f4d35e"/>${spokes.join("")}</svg>`;
  const upright = sharp(Buffer.from(svg));
  // Orientation 6: to be turned right by a quarter.
  if (isTurned) return sharp(await upright.png().toBuffer()).rotate(-90).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  return upright.png().toBuffer();
}

/** Opens the dataset studio and brings pictures into a new set; ready when all of them show. */
export async function openStudioWith(page: Page, pictures: readonly DrawnPicture[]): Promise<void> {
  const files = await Promise.all(pictures.map(async (picture) => ({
    name: picture.name, mimeType: picture.isTurned ? "image/jpeg" : "image/png", buffer: await draw(picture),
  })));
  const captions = pictures.flatMap(({ name, caption }) =>
    caption === undefined ? [] : [{ name: name.replace(/\.\w+$/, ".txt"), mimeType: "text/plain", buffer: Buffer.from(caption) }]);
  await page.goto("/#/dataset");
  await page.locator("input[type=file]:not([webkitdirectory])").first().setInputFiles([...files, ...captions]);
  await page.locator("[data-picture]").nth(pictures.length - 1).waitFor();
}
