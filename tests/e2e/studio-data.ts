/** Sets of pictures for the dataset studio's tests, put into the browser's storage as an import leaves them. */
import type { Page } from "playwright/test";
import sharp from "sharp";

export interface PlacedPicture {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  /** Where something bright and patterned stands, as shares of width and height. */
  readonly subject: readonly [x: number, y: number];
  readonly caption?: string;
}

/** A ground that gets lighter downwards, and on it a disc with spokes. */
export async function drawPicture({ width, height, subject }: PlacedPicture): Promise<Buffer> {
  const radius = Math.min(width, height) * 0.22;
  const [x, y] = [subject[0] * width, subject[1] * height];
  const spokes = Array.from({ length: 9 }, (_, i) => {
    const turn = (i * 2 * Math.PI) / 9;
    return `<path d="M${x} ${y} L${x + radius * Math.cos(turn)} ${y + radius * Math.sin(turn)}" stroke="#233" stroke-width="${radius / 9}"/>`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <defs><linearGradient id="g" x1="0" y1="0" x2="0" y2="1"><stop stop-color="#7a98b8"/><stop offset="1" stop-color="#b9c7a0"/></linearGradient></defs>
    <rect width="100%" height="100%" fill="url(#g)"/><circle cx="${x}" cy="${y}" r="${radius}" fill="#f4d35e"/>${spokes.join("")}</svg>`;
  return sharp(Buffer.from(svg)).png().toBuffer();
}

/** Makes a set of the pictures, opens the studio on it, and returns the set's id. */
export async function openStudioWith(page: Page, pictures: readonly PlacedPicture[]): Promise<void> {
  await page.goto("/#/dataset");
  await page.getByRole("heading", { level: 1 }).waitFor();
  const files = await Promise.all(pictures.map(async (picture) => ({ ...picture, base64: (await drawPicture(picture)).toString("base64") })));
  await page.evaluate(async (rows) => {
    const settled = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.addEventListener("success", () => resolve(request.result));
        request.addEventListener("error", () => reject(request.error as Error));
      });
    const db = await settled(indexedDB.open("lorasmith"));
    const tx = db.transaction(["sets", "setPictures", "originals", "thumbnails"], "readwrite");
    const subset = { id: "subset", isReg: false, repeats: 10, identifier: "sls", className: "1girl" };
    await settled(tx.objectStore("sets").put({
      id: "set", name: "Test set", createdAt: 1, captionExtension: ".txt", subsets: [subset], groups: [], mergeRules: [],
      history: { labels: [], first: 0, done: 0 }, revision: 0,
    }));
    for (const [i, { name, width, height, caption, base64 }] of rows.entries()) {
      const original = String(i).padStart(64, "0");
      const file = new Blob([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], { type: "image/png" });
      await settled(tx.objectStore("originals").put(file, original));
      await settled(tx.objectStore("thumbnails").put(file, original));
      await settled(tx.objectStore("setPictures").put({
        setId: "set", id: `picture${i}`, subset: "subset", name, original, bytes: file.size, width, height, caption: caption ?? null,
        crop: null, isMirrored: false, group: null, likeness: "0".repeat(16), origin: null,
      }));
    }
    db.close();
  }, files);
  await page.reload();
  await page.getByRole("listbox").waitFor();
}
