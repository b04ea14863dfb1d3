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

/** @throws InputError `train.tokenNowhere` if nothing would be learned, because no caption has the token */
export function checkCaptions(pictures: readonly Pick<TrainingPicture, "caption">[], config: TrainingConfig): void {
  const added = [config.caption_prefix, config.caption_suffix];
  if (!trainsWords(config) || pictures.some(({ caption }) => namesToken(caption, config, added))) return;
  const { token_string: token } = config;
  const message = `No caption contains ${token}, so nothing would be learned: write it into the captions, set caption_prefix to it, or use templates`;
  throw new InputError("train.tokenNowhere", message, { token });
}

/**
 * The vectors that a run starts from, [count, width]: those of the init_word's tokens in turn, or small random ones.
 * @throws InputError of the file
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
