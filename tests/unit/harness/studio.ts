/** Sets and pictures of the dataset studio for tests. */
import type { SetState } from "../../../src/studio/edit.ts";
import type { StudioPicture } from "../../../src/studio/picture.ts";
import type { StudioSet } from "../../../src/studio/studio-set.ts";

export function aPicture(id: string, fields: Partial<StudioPicture> = {}): StudioPicture {
  return {
    id, subset: "train", name: `${id}.png`, original: id.padEnd(64, "0"), bytes: 10, width: 512, height: 768, caption: null,
    crop: null, isMirrored: false, group: null, likeness: "0".repeat(16), origin: null, ...fields,
  };
}

export function aSet(fields: Partial<StudioSet> = {}): StudioSet {
  return {
    id: "set", name: "a set", createdAt: 0, captionExtension: ".txt",
    subsets: [
      { id: "train", isReg: false, repeats: 10, identifier: "sls", className: "1girl" },
      { id: "reg", isReg: true, repeats: 1, identifier: "", className: "1girl" },
    ],
    groups: [], mergeRules: [], ...fields,
  };
}

export function aState(pictures: readonly StudioPicture[], fields: Partial<StudioSet> = {}): SetState {
  return { set: aSet(fields), pictures: new Map(pictures.map((picture) => [picture.id, picture])) };
}
