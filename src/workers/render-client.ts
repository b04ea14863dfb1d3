/** The page's handle on drawing pictures as they were cropped; the worker starts with the first one. */
import { wrap } from "comlink";
import type { Remote } from "comlink";
import type { RenderedFields, renderPicture } from "./render-picture.ts";
import { carryTypedErrors } from "./typed-errors.ts";

export class RenderClient {
  #worker: Worker | undefined;
  #api: Remote<{ renderPicture: typeof renderPicture }> | undefined;

  /** The picture turned, cut out, resized and mirrored, as a PNG file. @throws InputError `image.undecodable` */
  async render(file: Blob, { name, width, height, crop, isMirrored }: RenderedFields): Promise<Blob> {
    carryTypedErrors();
    this.#worker ??= new Worker(new URL("./render.worker.ts", import.meta.url), { type: "module", name: "lorasmith-render" });
    this.#api ??= wrap<{ renderPicture: typeof renderPicture }>(this.#worker);
    return this.#api.renderPicture(file, { name, width, height, crop, isMirrored });
  }

  /** Ends the worker; a later call starts another. */
  close(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#api = undefined;
  }
}
