/** What the page and the tagging worker say to each other. A worker opens one model, reads pictures, and is then ended. */
import type { Crop, StudioPicture } from "../studio/picture.ts";
import type { CaptionSettings, FileRole, ModelManifest } from "../tagging/manifest.ts";
import type { Reading } from "../tagging/open-model.ts";

export interface ModelFiles {
  readonly manifest: ModelManifest;
  readonly files: ReadonlyMap<FileRole, { readonly name: string; readonly file: Blob }>;
}

/** Where the model runs. */
export type TagProvider = "webgpu" | "wasm";

export interface PictureToRead {
  /** For messages. */
  readonly name: string;
  readonly file: Blob;
  /** Its pixels as it is shown, where that is known: then it is turned as its file asks for. */
  readonly shown?: Pick<StudioPicture, "width" | "height">;
  /** The part of it that is meant, as it is shown; undefined or null: all. */
  readonly crop?: Crop | null;
}

export interface TimedReading {
  readonly reading: Reading;
  /** Of reading alone, without decoding the picture. */
  readonly milliseconds: number;
  /** Where the model ran; training that begins sends it from the GPU to the CPU. */
  readonly provider: TagProvider;
}

export interface TagWorkerApi {
  /**
   * Loads the model where it runs best. Once.
   * @throws LorasmithError `tagger.*`, `captioner.*`, InputError `file.unreadable`
   */
  open(model: ModelFiles): Promise<TagProvider>;
  /** @throws InputError `image.*`, `file.unreadable`, `tagger.*`, `captioner.*` */
  read(picture: PictureToRead, settings: Partial<CaptionSettings>): Promise<TimedReading>;
}
