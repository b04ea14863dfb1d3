/** What the page and its cropping workers say to each other. A worker does one thing at a time; there are a few of them. */
import type { CropMethod, CropProposal } from "../studio/crop-method.ts";
import type { StudioPicture } from "../studio/picture.ts";

/** A picture that is in storage. */
export type StoredPicture = Pick<StudioPicture, "name" | "original" | "width" | "height">;

export interface CropWorkerApi {
  /**
   * Looks at a picture and says how the method crops it.
   * @throws InputError `image.undecodable`, `crop.noOriginal`
   */
  propose(picture: StoredPicture, method: CropMethod): Promise<CropProposal>;
}
