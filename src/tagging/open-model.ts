/** A model of either kind, opened, and what it says of a picture before any rule of the user's. */
import type { RgbaImage } from "../dataset/image.ts";
import { invariant } from "../errors.ts";
import { crc32 } from "../formats/crc32.ts";
import { RandomSequence } from "../random/rng.ts";
import { FlorenceCaptioner } from "./caption/florence-captioner.ts";
import { OnnxCaptioner } from "./caption/onnx-captioner.ts";
import { readLabels } from "./labels.ts";
import { captionSettings, type CaptionSettings, type FileRole, type ModelManifest } from "./manifest.ts";
import type { LoadedFile, OnnxRuntime } from "./onnx-runtime.ts";
import { OnnxTagger } from "./onnx-tagger.ts";
import type { TagScores } from "./scores.ts";

/** What a model says of a picture. Rules (`chooseTags`, `finishCaption`) make a caption of it. */
export type Reading =
  | { readonly kind: "scores"; readonly scores: TagScores }
  /** With what the prompt says. */
  | { readonly kind: "text"; readonly text: string };

export interface OpenedModel {
  /**
   * @param file bytes of the picture's file: what random numbers a caption is drawn with
   * @throws InputError `image.tooLarge`, `tagger.output`, `captioner.output`, `captioner.settings`
   */
  read(image: RgbaImage, name: string, file: Uint8Array, settings: Partial<CaptionSettings>): Promise<Reading>;
  release(): Promise<void>;
}

/** @throws InputError `tagger.*`, `captioner.*`; LorasmithError `tagger.runtime` */
export async function openModel(
  ort: OnnxRuntime, manifest: ModelManifest, files: ReadonlyMap<FileRole, LoadedFile>, providers: readonly string[],
): Promise<OpenedModel> {
  const file = (role: FileRole): LoadedFile => {
    const found = files.get(role);
    invariant(found !== undefined, `the model has its ${role}`);
    return found;
  };
  if (manifest.kind === "tagger") {
    const list = file("labels");
    const labels = readLabels(list.bytes, list.name, manifest.labelFormat);
    const tagger = await OnnxTagger.open(ort, { manifest, model: file("model"), labels }, providers);
    return {
      read: async (image, name) => ({ kind: "scores", scores: await tagger.tag(image, name) }),
      release: () => tagger.release(),
    };
  }
  const captioner = manifest.format === "lorasmith-florence-1"
    ? await FlorenceCaptioner.open(ort, { manifest, file }, providers)
    : await OnnxCaptioner.open(ort, { manifest, encoder: file("encoder"), decoder: file("decoder"), vocabulary: file("vocabulary") }, providers);
  return {
    async read(image, name, bytes, changes) {
      const settings = captionSettings(manifest.settings, changes);
      // The same picture is drawn the same caption, wherever it stands in a list.
      const draws = new RandomSequence(settings.seed, "captionWords", crc32(bytes));
      return { kind: "text", text: (await captioner.caption(image, name, settings, () => draws.uniform())).text };
    },
    release: () => captioner.release(),
  };
}
