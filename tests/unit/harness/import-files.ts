/** Imports in Node: pictures made and decoded by sharp, a set in memory in place of storage. */
import { createHash } from "node:crypto";
import sharp from "sharp";
import type { Sharp } from "sharp";
import { decodeNodeImage } from "../../../src/cli/node-images.ts";
import { undecodable } from "../../../src/dataset/image.ts";
import type { UnzipLimits } from "../../../src/formats/unzip.ts";
import type { IncomingPicture } from "../../../src/storage/set-store.ts";
import { StorageFullError } from "../../../src/storage/storage-errors.ts";
import type { SetFields } from "../../../src/studio/edit.ts";
import type { ImportReport } from "../../../src/studio/import-report.ts";
import { likenessOf } from "../../../src/studio/likeness.ts";
import type { StudioPicture } from "../../../src/studio/picture.ts";
import type { StudioSet } from "../../../src/studio/studio-set.ts";
import type { ImportServices } from "../../../src/workers/import-picture.ts";
import { ImportSession } from "../../../src/workers/import-session.ts";

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export const nodeServices: ImportServices = {
  hash: async (bytes) => sha256(bytes),
  async look(bytes, kind, name) {
    // As browsers do: turned by EXIF, first frame, in colours of screens.
    const upright = kind === "bmp" ? undefined : sharp(bytes, { failOn: "error" }).autoOrient().toColourspace("srgb").png();
    const png = await upright?.toBuffer().catch((cause: unknown) => Promise.reject(undecodable(name, "the decoder rejects it", cause)));
    const image = await decodeNodeImage(png ?? bytes, name);
    return { width: image.width, height: image.height, thumbnail: new Blob(["small"]), likeness: likenessOf(image) };
  },
};

export interface Stock {
  set: StudioSet;
  readonly pictures: Map<string, StudioPicture>;
  readonly files: Map<string, Blob>;
}

export function emptyStock(): Stock {
  const subset = { id: "first", isReg: false, repeats: 10, identifier: "", className: "" };
  return {
    set: { id: "set", name: "new", createdAt: 0, captionExtension: ".txt", subsets: [subset], groups: [], mergeRules: [] },
    pictures: new Map(), files: new Map(),
  };
}

export interface ImportOptions {
  readonly limits?: UnzipLimits;
  /** Pictures that storage has room for. */
  readonly room?: number;
  /** The import is stopped once so many pictures are in. */
  readonly stopAt?: number;
}

/** Imports files into a stock, as the page does. */
export async function importInto(
  stock: Stock, files: Readonly<Record<string, Uint8Array | string>>, { limits, room = Infinity, stopAt = Infinity }: ImportOptions = {},
): Promise<ImportReport> {
  const session = new ImportSession(nodeServices, limits);
  const known = [...stock.pictures.values()].map(({ id, subset, name, original, likeness, caption }) => (
    { id, subset, name, original, likeness, hasCaption: caption !== null }));
  const list = Object.entries(files).map(([path, content]) => ({ path, file: new Blob([content as Uint8Array<ArrayBuffer>]) }));
  const report = await session.run({ files: list, set: stock.set, known, subset: stock.set.subsets[0]!.id, resolution: 64 }, {
    progress: ({ done }) => { if (done >= stopAt) session.stop(); },
    prepared: (change: SetFields) => void (stock.set = { ...stock.set, ...change }),
    async arrived(pictures: readonly IncomingPicture[]) {
      if (stock.pictures.size + pictures.length > room) throw new StorageFullError("the pictures");
      for (const { picture, file } of pictures) {
        stock.pictures.set(picture.id, picture);
        if (!stock.files.has(picture.original)) stock.files.set(picture.original, file);
      }
    },
  });
  for (const { pictureId, caption } of report.captions) stock.pictures.set(pictureId, { ...stock.pictures.get(pictureId)!, caption });
  return report;
}

/** A picture like no other of another seed. */
export function art(seed: number, width = 96, height = 80): Sharp {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * 3;
      data[at] = 128 + 120 * Math.sin((x * (seed % 7 + 1)) / 11 + seed);
      data[at + 1] = 128 + 120 * Math.cos((y * (seed % 5 + 1)) / 9 + seed * 2);
      data[at + 2] = 128 + 120 * Math.sin((x + y * (seed % 3)) / 13 + seed * 3);
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } });
}

export async function png(seed: number, width = 96, height = 80): Promise<Uint8Array> {
  return new Uint8Array(await art(seed, width, height).png().toBuffer());
}
