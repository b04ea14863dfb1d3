/** What the text encoder reads for a picture each time that the picture is shown. */
import { variesCaptions, varyCaption, type CaptionMoment } from "../dataset/vary-caption.ts";
import { invariant } from "../errors.ts";
import { RandomSequence } from "../random/rng.ts";
import { captionTokens, type CaptionShape, type CaptionTokens } from "../text/caption-tokens.ts";
import { usesTemplates, withWords } from "../dataset/word-captions.ts";
import { trainsWords, wordNames } from "../config/trained-words.ts";
import type { AddedWords, TokenizerVariant } from "../text/tokenizer.ts";
import { configOf } from "../config/dataset-keys.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { TrainingPicture } from "./run-plan.ts";

/** One showing of a picture: when, and which it is of all in the run, on which its random numbers depend. */
export interface Showing extends CaptionMoment {
  readonly microBatch: number;
  /** Place in the micro-batch. */
  readonly place: number;
}

export interface CaptionRun {
  readonly seed: number;
  readonly totalUpdates: number;
  readonly variant: TokenizerVariant;
  /** Size of the text encoder's vocabulary, behind which trained words come. */
  readonly vocabulary: number;
}

/** Room for the samples of a micro-batch in the generator's index. */
const PLACES = 64;
/** Captions whose tokens are remembered. */
const MOST_KNOWN = 4096;
const CHUNK_TOKENS = 75;

/** The number of a showing in the run: what its random numbers depend on. */
export function showingIndex({ microBatch, place }: Pick<Showing, "microBatch" | "place">): number {
  return microBatch * PLACES + place;
}

export function captionShape(config: Pick<TrainingConfig, "max_token_length" | "weighted_captions">): CaptionShape {
  return { chunks: (config.max_token_length ?? CHUNK_TOKENS) / CHUNK_TOKENS, isWeighted: config.weighted_captions };
}

export class CaptionSource {
  /** Whether a caption may be another one at each showing; otherwise it can be encoded once. */
  readonly varies: boolean;
  readonly #pictures: readonly Pick<TrainingPicture, "caption">[];
  readonly #config: TrainingConfig;
  /** What holds for each picture. */
  readonly #rules: readonly TrainingConfig[];
  readonly #run: CaptionRun;
  readonly #words: AddedWords | undefined;
  readonly #known = new Map<string, CaptionTokens>();

  constructor(
    pictures: readonly Pick<TrainingPicture, "caption" | "overrides">[],
    config: TrainingConfig,
    run: CaptionRun,
  ) {
    const isWords = trainsWords(config);
    this.#words = isWords ? { names: wordNames(config), firstId: run.vocabulary } : undefined;
    this.#config = config;
    this.#rules = pictures.map(({ overrides }) => {
      const rules = configOf(config, overrides);
      // A caption that is dropped would teach no word; sd-scripts has no such options there.
      return isWords ? { ...rules, caption_dropout_rate: 0, caption_dropout_every_n_epochs: 0, caption_tag_dropout_rate: 0 } : rules;
    });
    this.varies = this.#rules.some(variesCaptions) || usesTemplates(config);
    this.#pictures = pictures;
    this.#run = run;
  }

  /** The caption as words. A function of the seed and the showing alone. */
  caption(picture: number, { microBatch, place, ...moment }: Showing): string {
    const own = this.#pictures[picture];
    const rules = this.#rules[picture];
    invariant(own !== undefined && rules !== undefined, `no picture ${picture}`);
    const { seed, totalUpdates } = this.#run;
    const chance = new RandomSequence(seed, "captions", showingIndex({ microBatch, place }));
    return withWords(varyCaption(own.caption, rules, moment, totalUpdates, chance), rules, chance);
  }

  tokens(picture: number, showing: Showing): CaptionTokens {
    const caption = this.caption(picture, showing);
    let tokens = this.#known.get(caption);
    if (tokens === undefined) {
      tokens = captionTokens(caption, captionShape(this.#config), this.#run.variant, this.#words);
      if (this.#known.size >= MOST_KNOWN) this.#known.clear();
      this.#known.set(caption, tokens);
    }
    return tokens;
  }

  /** Tokens of a caption that does not vary. */
  steadyTokens(picture: number): CaptionTokens {
    invariant(!this.varies, "captions vary");
    return this.tokens(picture, { microBatch: 0, place: 0, epoch: 1, step: 0 });
  }
}
