/** Tagging as the worker does it: open the tagger where it runs best, then picture by picture. */
import type { RgbaImage } from "../dataset/image.ts";
import { InputError, serializeError } from "../errors.ts";
import { blobSource } from "../formats/byte-source.ts";
import type { DatasetFile } from "../storage/database.ts";
import { readLabels } from "../tagging/labels.ts";
import { OnnxTagger, type OnnxRuntime, type TaggerSource } from "../tagging/onnx-tagger.ts";
import type { TaggerFiles, TagObserver, TagProvider, TagWorkerApi } from "./tag-protocol.ts";

export interface TagServices {
  /** Best first. */
  readonly providers: () => Promise<readonly TagProvider[]>;
  readonly loadRuntime: (provider: TagProvider) => Promise<OnnxRuntime>;
  /** @throws InputError `image.*` */
  readonly decode: (file: Uint8Array<ArrayBuffer>, name: string) => Promise<RgbaImage>;
}

export class TagSession implements TagWorkerApi {
  readonly #services: TagServices;

  constructor(services: TagServices) {
    this.#services = services;
  }

  async tag(files: TaggerFiles, pictures: readonly DatasetFile[], observer: TagObserver): Promise<void> {
    const tagger = await this.#open(files, observer);
    try {
      for (const { path, file } of pictures) await this.#tagOne(tagger, path, file, observer);
    } finally {
      await tagger.release();
    }
  }

  async #tagOne(tagger: OnnxTagger, path: string, file: Blob, observer: TagObserver): Promise<void> {
    let image: RgbaImage;
    try {
      image = await this.#services.decode(await readWhole(file, path), path);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      await observer.failed(path, serializeError(error));
      return;
    }
    await observer.scored(path, await tagger.tag(image, path));
  }

  async #open(files: TaggerFiles, observer: TagObserver): Promise<OnnxTagger> {
    const labels = readLabels(await readWhole(files.labels, files.labelsName), files.labelsName);
    const source: TaggerSource = { model: await readWhole(files.model, files.modelName), modelName: files.modelName, labels };
    const providers = await this.#services.providers();
    for (const provider of providers.slice(0, -1)) {
      const tagger = await this.#openOn(provider, source).catch(() => undefined);
      if (tagger === undefined) continue;
      await observer.opened(provider);
      return tagger;
    }
    // What is wrong with a model is best told by the last, which knows every operation.
    const last = providers.at(-1) ?? "wasm";
    const tagger = await this.#openOn(last, source);
    await observer.opened(last);
    return tagger;
  }

  async #openOn(provider: TagProvider, source: TaggerSource): Promise<OnnxTagger> {
    return OnnxTagger.open(await this.#services.loadRuntime(provider), source, [provider]);
  }
}

function readWhole(file: Blob, name: string): Promise<Uint8Array<ArrayBuffer>> {
  return blobSource(file, name).read(0, file.size);
}
