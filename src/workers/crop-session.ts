/** Cropping as a worker does it. */
import { faceBoxOf } from "../dataset/crop-window.ts";
import type { RgbaImage } from "../dataset/image.ts";
import { InputError } from "../errors.ts";
import { focalPoint } from "../studio/crop-focus.ts";
import { proposeCrops } from "../studio/crop-method.ts";
import type { CropMethod, CropProposal } from "../studio/crop-method.ts";
import type { CropWorkerApi, StoredPicture } from "./crop-protocol.ts";

export interface CropServices {
  /** A picture's file by its hash. */
  readonly originalOf: (hash: string) => Promise<Blob | undefined>;
  /** @throws InputError `image.undecodable` */
  readonly decode: (file: Blob, picture: StoredPicture) => Promise<RgbaImage>;
}

export class CropSession implements CropWorkerApi {
  readonly #services: CropServices;

  constructor(services: CropServices) {
    this.#services = services;
  }

  async propose(picture: StoredPicture, method: CropMethod): Promise<CropProposal> {
    if (method.kind !== "focus") return proposeCrops([picture.width, picture.height], method);
    const image = await this.#services.decode(await this.#file(picture), picture);
    const face = faceBoxOf(picture.name);
    const focus = focalPoint(image, method.target, method.weights, face === undefined ? [] : [face]);
    return proposeCrops([image.width, image.height], method, focus);
  }

  async #file({ name, original }: StoredPicture): Promise<Blob> {
    const file = await this.#services.originalOf(original);
    if (file === undefined) {
      throw new InputError("crop.noOriginal", `The file of ${name} is not in this browser's storage any more. Import it again.`, { file: name });
    }
    return file;
  }
}
