/** How the vectors of a textual inversion start, and what must hold for their token. */
import { InputError, invariant } from "../errors.ts";
import { gaussian } from "../random/rng.ts";
import { namesToken } from "../dataset/word-captions.ts";
import { isVocabularyEntry } from "../text/clip-bpe.ts";
import { tokenize } from "../text/tokenizer.ts";
import { trainsWords, wordNames } from "../config/trained-words.ts";
import { tokenTableKey } from "../models/text-encoder.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { TrainedWords } from "../lora/trained-words.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";
import type { TrainingPicture } from "./run-plan.ts";

/** CLIP's own, for tokens without an init_word. */
const deviation = 0.02;

/**
 * The words that a configuration trains; undefined where it trains something else.
 * @throws InputError `train.knownToken` if the vocabulary has the token already, as sd-scripts does
 */
export function trainedWords({ textEncoder }: Pick<Checkpoint, "textEncoder">, config: TrainingConfig): TrainedWords | undefined {
  if (!trainsWords(config)) return undefined;
  const known = wordNames(config).find(isVocabularyEntry);
  if (known !== undefined) {
    const message = `The text encoder has a token ${known} already: choose a token_string that is no word, such as ${config.token_string}_1`;
    throw new InputError("train.knownToken", message, { token: known });
  }
  return { count: config.num_vectors_per_token, width: textEncoder.width };
}

/**
 * The vectors of the file that `weights` names; undefined where it names none. As sd-scripts, takes a file with exactly
 * the vectors that are trained.
 * @throws InputError `train.startMissing`, `train.startCount`, `embedding.width`
 */
export function givenWords(
  start: StartWords | undefined, words: TrainedWords | undefined, { weights: file }: Pick<TrainingConfig, "weights">,
): Float32Array<ArrayBuffer> | undefined {
  if (words === undefined || file === "") return undefined;
  const { count, width } = words;
  if (start === undefined) {
    throw new InputError("train.startMissing", `The embedding ${file} to go on from is not there: choose its file again, or empty weights`, { file });
  }
  const { name, vectors, width: own } = start;
  if (own !== width) {
    const message = `The embedding ${name} has vectors of ${own} numbers, and this model's have ${width}: it was made for a model of another family.`;
    throw new InputError("embedding.width", message, { file: name, width: own, wanted: width });
  }
  const found = vectors.length / width;
  if (found !== count) {
    const message = `The embedding ${name} has ${found} vectors, and num_vectors_per_token is ${count}: set it to ${found}`;
    throw new InputError("train.startCount", message, { file: name, found, count });
  }
  return vectors;
}

/** @throws InputError `train.tokenNowhere` if nothing would be learned, because no caption has the token */
export function checkCaptions(pictures: readonly Pick<TrainingPicture, "caption">[], config: TrainingConfig): void {
  const added = [config.caption_prefix, config.caption_suffix];
  if (!trainsWords(config) || pictures.some(({ caption }) => namesToken(caption, config, added))) return;
  const { token_string: token } = config;
  const message = `No caption contains ${token}, so nothing would be learned: write it into the captions, set caption_prefix to it, or use templates`;
  throw new InputError("train.tokenNowhere", message, { token });
}

/** An embedding to go on from. */
export interface StartWords {
  /** Of its file. */
  readonly name: string;
  /** [count, width] */
  readonly vectors: Float32Array<ArrayBuffer>;
  readonly width: number;
}

/**
 * The vectors that a run starts from where `weights` names no file, [count, width]: those of the init_word's tokens in
 * turn, or small random ones.
 * @throws InputError of the checkpoint's file
 */
export async function initialWords(
  checkpoint: Checkpoint, { count, width }: TrainedWords, config: TrainingConfig, seed: number,
): Promise<Float32Array<ArrayBuffer>> {
  const ids = tokenize(config.init_word, { variant: checkpoint.family });
  if (ids.length === 0) return gaussian(seed, "wordInit", 0, count * width).map((value) => value * deviation);
  const key = checkpoint.keys.get(tokenTableKey(checkpoint.textEncoder));
  invariant(key !== undefined, "a text encoder without a token table");
  const vectors = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    const id = ids[i % ids.length] ?? 0;
    vectors.set(await checkpoint.file.readF32Range(key, id * width, width), i * width);
  }
  return vectors;
}
