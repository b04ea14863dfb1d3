/** How the user wants tags, as typed. Stored as a whole; anything unreadable falls back to its default. */
import * as v from "valibot";
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import { readSetting, writeSetting } from "../../storage/settings-store.ts";
import { captionModes } from "../../tagging/merge-caption.ts";
import { splitTags } from "../../dataset/tag-names.ts";
import { defaultTagRules, parseReplacements } from "../../tagging/tag-rules.ts";
import type { TagRules } from "../../tagging/tag-rules.ts";

const settingName = "tagging";

/** The ends of the sliders. A character threshold at the end takes no characters. */
export const thresholds = { min: 0.05, max: 1, step: 0.01 } as const;
const threshold = (usual: number) => v.fallback(v.pipe(v.number(), v.minValue(thresholds.min), v.maxValue(thresholds.max)), usual);

const schema = v.object({
  mode: v.fallback(v.picklist(captionModes), "keep"),
  generalThreshold: threshold(defaultTagRules.generalThreshold),
  characterThreshold: threshold(defaultTagRules.characterThreshold),
  order: v.fallback(v.picklist(["score", "list"]), "score"),
  inWords: v.fallback(v.boolean(), defaultTagRules.inWords),
  escapeBrackets: v.fallback(v.boolean(), defaultTagRules.escapeBrackets),
  added: v.fallback(v.string(), ""),
  first: v.fallback(v.string(), ""),
  undesired: v.fallback(v.string(), ""),
  replacements: v.fallback(v.string(), ""),
});
export type TagOptionValues = v.InferOutput<typeof schema>;

export class TagOptions {
  #values: TagOptionValues = $state.raw(v.parse(schema, {}));
  readonly #parsed = $derived.by(() => replacementsOf(this.#values.replacements));

  readonly rules: TagRules = $derived({
    ...defaultTagRules,
    ...this.#values,
    added: splitTags(this.#values.added),
    first: splitTags(this.#values.first),
    undesired: splitTags(this.#values.undesired),
    replacements: this.#parsed.pairs,
  });

  get values(): TagOptionValues {
    return this.#values;
  }
  /** Set while what was typed as replacements can't be read; then nothing is replaced. */
  get replacementError(): SerializedError | undefined {
    return this.#parsed.error;
  }

  async load(): Promise<void> {
    const parsed = v.safeParse(schema, (await readSetting(settingName).catch(() => undefined)) ?? {});
    if (parsed.success) this.#values = parsed.output;
  }

  set(change: Partial<TagOptionValues>): void {
    this.#values = { ...this.#values, ...change };
    void writeSetting(settingName, this.#values).catch(() => undefined);
  }
}

function replacementsOf(text: string): { readonly pairs: TagRules["replacements"]; readonly error?: SerializedError } {
  try {
    return { pairs: parseReplacements(text) };
  } catch (error) {
    return { pairs: [], error: serializeError(error) };
  }
}
