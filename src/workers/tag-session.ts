/** Tagging as the worker does it: open the model where it runs best, then picture by picture. */
import type { RgbaImage } from "../dataset/image.ts";
import { invariant } from "../errors.ts";
import { blobSource } from "../formats/byte-source.ts";
import { renderCrop } from "../studio/crop-render.ts";
import type { CaptionSettings, FileRole } from "../tagging/manifest.ts";
import type { LoadedFile, OnnxRuntime } from "../tagging/onnx-runtime.ts";
import { openModel, type OpenedModel } from "../tagging/open-model.ts";
import type { ModelFiles, PictureToRead, TagProvider, TagWorkerApi, TimedReading } from "./tag-protocol.ts";

/** Room on the GPU, held for as long as a model is there. */
interface GpuLease {
  release(): void;
}

export interface TagServices {
  /** Whether ONNX Runtime can use a GPU here at all. */
  readonly hasGpu: () => Promise<boolean>;
  /** undefined where somebody trains or draws. `onwanted` is called when training wants the room. */
  readonly takeGpu: (onwanted: () => void) => Promise<GpuLease | undefined>;
  readonly loadRuntime: (provider: TagProvider) => Promise<OnnxRuntime>;
  /** @throws InputError `image.*` */
  readonly decode: (file: Uint8Array<ArrayBuffer>, name: string, shown: PictureToRead["shown"]) => Promise<RgbaImage>;
}

interface Opened {
  readonly model: OpenedModel;
  readonly provider: TagProvider;
  readonly leave: () => void;
}

export class TagSession implements TagWorkerApi {
  readonly #services: TagServices;
  #files: ModelFiles | undefined;
  #opened: Opened | undefined;
  #mustLeaveGpu = false;
  #isReading = false;

  constructor(services: TagServices) {
    this.#services = services;
  }

  async open(model: ModelFiles): Promise<TagProvider> {
    this.#files = model;
    const onGpu = (await this.#services.hasGpu()) ? await this.#openOnGpu(model) : undefined;
    this.#opened = onGpu ?? (await this.#openOnCpu(model));
    // Training may have asked for the room while the model was being loaded.
    if (this.#mustLeaveGpu) await this.#leaveGpu();
    return (await this.#current()).provider;
  }

  async read({ name, file, shown, crop = null }: PictureToRead, settings: Partial<CaptionSettings>): Promise<TimedReading> {
    const bytes = await readWhole(file, name);
    const whole = await this.#services.decode(bytes, name, shown);
    const image = crop === null ? whole : renderCrop(whole, crop, false);
    this.#isReading = true;
    try {
      const { model, provider } = await this.#current();
      const start = performance.now();
      const reading = await model.read(image, name, bytes, settings);
      return { reading, milliseconds: performance.now() - start, provider };
    } finally {
      this.#isReading = false;
      if (this.#mustLeaveGpu) await this.#leaveGpu();
    }
  }

  async #current(): Promise<Opened> {
    invariant(this.#files !== undefined, "a model is opened first");
    this.#opened ??= await this.#openOnCpu(this.#files);
    return this.#opened;
  }

  async #openOnGpu(model: ModelFiles): Promise<Opened | undefined> {
    const lease = await this.#services.takeGpu(() => {
      this.#mustLeaveGpu = true;
      if (!this.#isReading) void this.#leaveGpu();
    });
    if (lease === undefined) return undefined;
    try {
      return { model: await this.#openOn("webgpu", model), provider: "webgpu", leave: () => lease.release() };
    } catch {
      // What is wrong with a model is best told by the CPU, which knows every operation.
      lease.release();
      return undefined;
    }
  }

  async #openOnCpu(model: ModelFiles): Promise<Opened> {
    return { model: await this.#openOn("wasm", model), provider: "wasm", leave: () => undefined };
  }

  /** Training goes first; the next picture is read on the CPU. */
  async #leaveGpu(): Promise<void> {
    const opened = this.#opened;
    if (opened?.provider !== "webgpu") return;
    this.#mustLeaveGpu = false;
    this.#opened = undefined;
    await opened.model.release();
    opened.leave();
  }

  async #openOn(provider: TagProvider, { manifest, files }: ModelFiles): Promise<OpenedModel> {
    const loaded = new Map<FileRole, LoadedFile>();
    for (const [role, { name, file }] of files) loaded.set(role, { name, bytes: await readWhole(file, name) });
    return openModel(await this.#services.loadRuntime(provider), manifest, loaded, [provider]);
  }
}

function readWhole(file: Blob, name: string): Promise<Uint8Array<ArrayBuffer>> {
  return blobSource(file, name).read(0, file.size);
}
