/** Which pictures a run does not learn from, so that it can be tested with them: sd-scripts' `validation_split`. */
import { configOf, type Overrides } from "../config/dataset-keys.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import { pythonShuffle } from "../random/python-random.ts";
import { groupBy } from "./group-by.ts";
import type { RepeatedPicture } from "./regularization.ts";
import { parentOf } from "./paths.ts";

/** A picture, with its dataset and what holds for it in a dataset configuration. */
export interface OwnedPicture extends RepeatedPicture {
  readonly path: string;
  readonly dataset?: number;
  readonly overrides?: Overrides;
}

/**
 * The last pictures of each folder after a shuffle; of regularization pictures none. With a `validation_seed` they are
 * the ones that sd-scripts holds out, less the one that it sometimes trains on as well.
 * @returns one per picture
 */
export function heldOutPictures(pictures: readonly OwnedPicture[], config: TrainingConfig): boolean[] {
  const held = pictures.map(() => false);
  const own = [...pictures.keys()].filter((index) => pictures[index]!.isReg !== true);
  for (const folder of groupBy(own, (index) => `${pictures[index]!.dataset ?? 0}/${parentOf(pictures[index]!.path)}`).values()) {
    const { validation_split: share, validation_seed: seed } = configOf(config, pictures[folder[0]!]?.overrides);
    if (share === 0) continue;
    const shuffled = pythonShuffle(folder, seed ?? config.seed ?? 0);
    for (const index of shuffled.slice(Math.ceil(folder.length * (1 - share)))) held[index] = true;
  }
  return held;
}
