/**
 * What textual inversion trains: the vectors of words that the text encoder does not know. They lie behind its
 * vocabulary: word i has the token id V + i.
 */
import type { Graph } from "../gpu/graph/graph.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";
import type { TrainedTensor } from "../gpu/optimizers/trained-tensor.ts";

export interface TrainedWords {
  /** `num_vectors_per_token` */
  readonly count: number;
  /** Of the text encoder. */
  readonly width: number;
}

/** Resident name of the vectors. */
export const wordVectors = "words/vectors";

/** The parameter group that they are in. */
export const wordGroup = "textEncoder";

/** The vectors [count, width] as a parameter of a graph. */
export function wordParam(graph: Graph, { count, width }: TrainedWords): Tensor {
  return graph.param(wordVectors, [count, width], wordGroup).value;
}

/** The vectors as PyTorch has them. */
export function wordTensor({ count, width }: TrainedWords): TrainedTensor {
  return { param: wordVectors, shape: [count, width], offset: 0, strides: [width, 1] };
}
