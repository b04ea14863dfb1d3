/** The files of a laid out set, one after the other, for archives, folders and training. */
import { sidecarName, writeSidecar } from "./sidecar.ts";
import { writeCaptionMetadata } from "./caption-metadata.ts";
import { isRendered } from "./layout.ts";
import type { Layout, PlacedPicture } from "./layout.ts";
import { factsOf, headBytes, kindOf } from "./picture-probe.ts";
import type { StudioPicture } from "./picture.ts";
import type { StudioSet } from "./studio-set.ts";

export interface LaidOutFile {
  readonly path: string;
  readonly file: Blob;
}

export interface PictureFiles {
  /** The file as it came; undefined where it is gone. */
  readonly original: (hash: string) => Promise<Blob | undefined>;
  /** The picture as it was decided to be (turned, cropped, mirrored, resized), as a PNG file. */
  readonly render: (file: Blob, picture: StudioPicture) => Promise<Blob>;
}

/**
 * Files as trainers want them. What is neither cropped, mirrored nor turned by its EXIF data comes byte for byte;
 * everything else as PNG. Pictures whose file is gone are told to `onmissing`.
 */
export async function* trainingFiles(
  layout: Layout, files: PictureFiles, onmissing: (picture: StudioPicture) => void,
): AsyncGenerator<LaidOutFile> {
  for (const placed of layout.pictures) {
    const { picture, stem, ending, captionPath } = placed;
    const file = await files.original(picture.original);
    if (file === undefined) {
      onmissing(picture);
      continue;
    }
    const wantsPixels = isRendered(placed) || (await isTurned(file));
    yield wantsPixels ? { path: `${stem}.png`, file: await files.render(file, picture) } : { path: `${stem}${ending}`, file };
    if (captionPath !== null) yield captionFile(captionPath, picture);
  }
}

/** The set as it is: every file as it came, and what was decided beside them, so that an import gives the same set. */
export async function* setFiles(
  set: StudioSet, layout: Layout, files: Pick<PictureFiles, "original">, onmissing: (picture: StudioPicture) => void,
): AsyncGenerator<LaidOutFile> {
  const kept: PlacedPicture[] = [];
  for (const placed of layout.pictures) {
    const { picture, stem, ending, captionPath } = placed;
    const file = await files.original(picture.original);
    if (file === undefined) {
      onmissing(picture);
      continue;
    }
    kept.push(placed);
    yield { path: `${stem}${ending}`, file };
    if (captionPath !== null) yield captionFile(captionPath, picture);
  }
  const rows = kept.map(({ picture, stem, ending }) => ({ path: `${stem}${ending}`, picture }));
  yield { path: sidecarName, file: new Blob([writeSidecar(set, rows)], { type: "application/json" }) };
}

/** All captions as sd-scripts' metadata, by the paths that pictures have in the layout. */
export function metadataFile(layout: Layout): Blob {
  const rows = layout.pictures.map((placed) => ({
    path: `${placed.stem}${isRendered(placed) ? ".png" : placed.ending}`, caption: placed.picture.caption,
  }));
  return new Blob([writeCaptionMetadata(rows)], { type: "application/json" });
}

function captionFile(path: string, picture: StudioPicture): LaidOutFile {
  return { path, file: new Blob([picture.caption ?? ""], { type: "text/plain" }) };
}

/** EXIF data of most formats lies in front of the pixels. */
const EXIF_BYTES = 128 * 1024;

async function isTurned(file: Blob): Promise<boolean> {
  const front = new Uint8Array(await file.slice(0, EXIF_BYTES).arrayBuffer());
  const kind = kindOf(front.subarray(0, headBytes));
  // WebP says in front whether there is any behind.
  const wantsAll = kind === "webp" && ((front[20] ?? 0) & 8) !== 0 && file.size > EXIF_BYTES;
  const bytes = wantsAll ? new Uint8Array(await file.arrayBuffer()) : front;
  return factsOf(bytes, kind).orientation !== 1;
}
