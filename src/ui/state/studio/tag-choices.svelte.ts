/** How the user wants tags and captions in the studio, as typed. Stored as a whole; anything unreadable falls back to its default. */
import * as v from "valibot";
import { splitTags } from "../../../dataset/tag-names.ts";
import { serializeError } from "../../../errors.ts";
import type { SerializedError } from "../../../errors.ts";
import { readSetting, writeSetting } from "../../../storage/settings-store.ts";
import { parseRemovals, wordRemovals } from "../../../tagging/caption/caption-text.ts";
import type { CaptionRules } from "../../../tagging/caption/caption-text.ts";
import type { CaptionerManifest, CaptionSettings, TaggerManifest } from "../../../tagging/manifest.ts";
import { captionModes } from "../../../tagging/merge-caption.ts";
import { defaultTagRules, parseReplacements } from "../../../tagging/tag-rules.ts";
import type { TagRules } from "../../../tagging/tag-rules.ts";

const settingName = "studio.tagging";

const place = v.fallback(v.picklist(["none", "first", "last"]), "none");
const text = v.fallback(v.string(), "");
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const flag = (usual: boolean) => v.fallback(v.boolean(), usual);

const schema = v.object({
  /** The model that was used last. */
  model: v.fallback(v.optional(v.string()), undefined),
  mode: v.fallback(v.picklist(captionModes), "keep"),
  /** By model, where they are other ones than its own. */
  thresholds: v.fallback(v.record(v.string(), v.object({ general: share, character: share })), {}),
  isMcut: flag(false),
  order: v.fallback(v.picklist(["score", "list", "name"]), "score"),
  charactersFirst: flag(false),
  expandsCharacters: flag(false),
  rating: place,
  quality: place,
  inWords: flag(true),
  escapeBrackets: flag(false),
  added: text,
  first: text,
  undesired: text,
  replacements: text,
  /** By captioner, what differs from its own settings. */
  writing: v.fallback(v.record(v.string(), v.record(v.string(), v.union([v.number(), v.string()]))), {}),
  prefix: text,
  suffix: text,
  /** undefined: as the captioner has it. */
  removesWords: v.fallback(v.optional(v.boolean()), undefined),
  removals: v.fallback(v.string(), wordRemovals.join("\n")),
});
export type TagChoiceValues = v.InferOutput<typeof schema>;

export class TagChoices {
  #values: TagChoiceValues = $state.raw(v.parse(schema, {}));
  readonly #replacements = $derived.by(() => trying(() => parseReplacements(this.#values.replacements)));
  readonly #removals = $derived.by(() => trying(() => parseRemovals(this.#values.removals)));

  get values(): TagChoiceValues {
    return this.#values;
  }
  /** Set while what was typed as replacements can't be read; then nothing is replaced. */
  get replacementError(): SerializedError | undefined {
    return this.#replacements.error;
  }
  get removalError(): SerializedError | undefined {
    return this.#removals.error;
  }

  async load(): Promise<void> {
    const parsed = v.safeParse(schema, (await readSetting(settingName).catch(() => undefined)) ?? {});
    if (parsed.success) this.#values = parsed.output;
  }

  set(change: Partial<TagChoiceValues>): void {
    this.#values = { ...this.#values, ...change };
    void writeSetting(settingName, this.#values).catch(() => undefined);
  }

  thresholdsFor({ id, thresholds }: Pick<TaggerManifest, "id" | "thresholds">): { readonly general: number; readonly character: number } {
    return this.#values.thresholds[id] ?? thresholds;
  }

  setThreshold(manifest: Pick<TaggerManifest, "id" | "thresholds">, change: { readonly general?: number; readonly character?: number }): void {
    this.set({ thresholds: { ...this.#values.thresholds, [manifest.id]: { ...this.thresholdsFor(manifest), ...change } } });
  }

  rulesFor(manifest: Pick<TaggerManifest, "id" | "thresholds">): TagRules {
    const { general, character } = this.thresholdsFor(manifest);
    return {
      ...defaultTagRules,
      ...this.#values,
      generalThreshold: general,
      characterThreshold: character,
      added: splitTags(this.#values.added),
      first: splitTags(this.#values.first),
      undesired: splitTags(this.#values.undesired),
      replacements: this.#replacements.found ?? [],
    };
  }

  /** What differs from the captioner's own settings. */
  writingFor({ id }: Pick<CaptionerManifest, "id">): Partial<CaptionSettings> {
    return (this.#values.writing[id] ?? {}) as Partial<CaptionSettings>;
  }

  setWriting({ id }: Pick<CaptionerManifest, "id">, change: Readonly<Record<string, number | string>>): void {
    this.set({ writing: { ...this.#values.writing, [id]: { ...this.#values.writing[id], ...change } } });
  }

  removesWordsOf({ removesWords }: Pick<CaptionerManifest, "removesWords">): boolean {
    return this.#values.removesWords ?? removesWords;
  }

  captionRulesFor(manifest: Pick<CaptionerManifest, "removesWords">): CaptionRules {
    const { prefix, suffix } = this.#values;
    return { prefix, suffix, removals: this.removesWordsOf(manifest) ? (this.#removals.found ?? []) : [] };
  }
}

function trying<T>(read: () => T): { readonly found?: T; readonly error?: SerializedError } {
  try {
    return { found: read() };
  } catch (error) {
    return { error: serializeError(error) };
  }
}
