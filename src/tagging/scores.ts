/** Scores lower than this are not kept; no threshold can be below it. */
export const scoreFloor = 0.005;

/** What a tagger says of a picture, without the thousands of tags that it is sure are not there. */
export interface TagScores {
  /** Numbers of labels, rising. */
  readonly indices: Uint32Array<ArrayBuffer>;
  /** Probability of each, `scoreFloor`…1. */
  readonly values: Float32Array<ArrayBuffer>;
}

/** @param probabilities one for each label */
export function keepScores(probabilities: Float32Array): TagScores {
  const indices = Uint32Array.from([...probabilities.keys()].filter((i) => probabilities[i]! >= scoreFloor));
  return { indices, values: Float32Array.from(indices, (i) => probabilities[i]!) };
}
