/** Having a model read pictures of a set, with what it said of them before. */
import type { SerializedError } from "../../../errors.ts";
import type { ReadingRecord } from "../../../storage/database.ts";
import { readingsOf, storeReadings } from "../../../storage/reading-store.ts";
import { originalOf } from "../../../storage/set-store.ts";
import type { StudioPicture } from "../../../studio/picture.ts";
import { unreadable } from "../../../formats/byte-source.ts";
import { captionSettings } from "../../../tagging/manifest.ts";
import type { CaptionSettings, ModelManifest } from "../../../tagging/manifest.ts";
import { tagPictures } from "../../../workers/tag-client.ts";
import type { ModelFiles, TagProvider } from "../../../workers/tag-protocol.ts";

/** What a reading belongs to: the file, and the part of it that is kept. */
export function readingKey({ original, crop }: Pick<StudioPicture, "original" | "crop">): string {
  return crop === null ? original : `${original}@${crop.x},${crop.y},${crop.width},${crop.height}`;
}

/** How a captioner writes, as readings are kept by it; "" for taggers. @throws InputError `captioner.settings`, `captioner.lengths` */
export function variantOf(manifest: ModelManifest, writing: Partial<CaptionSettings>): string {
  if (manifest.kind === "tagger") return "";
  const { mode, minLength, maxLength, repetitionPenalty, noRepeat, instruction, ...more } = captionSettings(manifest.settings, writing);
  const { beams, lengthPenalty, earlyStopping, topP, temperature, seed } = more;
  const own = { greedy: [], beam: [beams, lengthPenalty, earlyStopping], nucleus: [topP, temperature, seed] }[mode];
  return JSON.stringify([mode, minLength, maxLength, repetitionPenalty, noRepeat, instruction, ...own]);
}

/** By `readingKey`; where nothing can be stored here, nothing is known. */
export async function knownReadings(manifest: ModelManifest, variant: string, pictures: readonly StudioPicture[]): Promise<Map<string, ReadingRecord>> {
  return readingsOf(manifest.id, variant, [...new Set(pictures.map(readingKey))]).catch(() => new Map<string, ReadingRecord>());
}

export interface ReadObserver {
  opened(provider: TagProvider): void;
  read(record: ReadingRecord): void;
  failed(key: string, error: SerializedError): void;
}

/** Stored at least this often, so that a closed page loses little. */
const storeEvery = 16;

/** Reads pictures and keeps what was said. @throws as `tagPictures` */
export async function readPictures(
  model: ModelFiles, pictures: readonly StudioPicture[], writing: Partial<CaptionSettings>, observer: ReadObserver, signal: AbortSignal,
): Promise<void> {
  const variant = variantOf(model.manifest, writing);
  const once = new Map(pictures.map((picture) => [readingKey(picture), picture]));
  const listed = [...once].map(([id, { name, original, width, height, crop }]) => ({
    id, name, shown: { width, height }, crop: crop === null ? null : { x: crop.x, y: crop.y, width: crop.width, height: crop.height },
    file: async () => {
      const file = await originalOf(original);
      if (file === undefined) throw unreadable(name);
      return file;
    },
  }));
  let unstored: ReadingRecord[] = [];
  // What can't be stored is known for this visit.
  const store = async (): Promise<void> => storeReadings(unstored.splice(0)).catch(() => undefined);
  try {
    await tagPictures(model, listed, writing, {
      opened: (provider) => observer.opened(provider),
      read(picture, { reading, milliseconds }) {
        const record = { model: model.manifest.id, variant, picture, reading, milliseconds };
        unstored.push(record);
        observer.read(record);
        if (unstored.length >= storeEvery) void store();
      },
      failed: (id, error) => observer.failed(id, error),
    }, signal);
  } finally {
    await store();
    unstored = [];
  }
}
