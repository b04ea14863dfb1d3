/** What can be said to the command `tag`, and what follows from it for taggers and captioners. */
import { splitTags } from "../dataset/tag-names.ts";
import { wordRemovals, type CaptionRules } from "../tagging/caption/caption-text.ts";
import { captionSettings, type CaptionerManifest, type CaptionSettings, type TaggerManifest } from "../tagging/manifest.ts";
import { captionModes, type CaptionMode } from "../tagging/merge-caption.ts";
import { scoreFloor } from "../tagging/scores.ts";
import { defaultTagRules, parseReplacements, type RatingPlace, type TagRules } from "../tagging/tag-rules.ts";
import { readOptions, usageError } from "./command.ts";

export const tagHelp = `lorasmith tag --tagger FOLDER --data FOLDER [options]

Writes captions beside pictures, by a tagger or a captioner. The pictures are those that "train" would use. Those that
have a caption keep it, unless --append, --prepend or --overwrite says otherwise. Runs on the CPU; no GPU is needed.
Options may be written as sd-scripts writes them, with underscores.

  --tagger FOLDER    a model: WD14 or CL tagger, DeepDanbooru, ML-Danbooru (an .onnx and its list of tags), or BLIP and GIT as
                     tools/captioners makes them (encoder.onnx, decoder.onnx, vocab.txt, captioner.json)
  --kind ID          what a captioner without captioner.json is: blip-large, blip-base, git-large-textcaps, …
  --data FOLDER      pictures, or folders of pictures such as "10_sls 1girl"
  --append           add what is new behind captions that are there (also --append-tags)
  --prepend          add what is new in front of captions that are there
  --overwrite        replace captions that are there
  --dry-run          print what would be written, write nothing
  --caption-extension EXT    ending of new caption files; default .txt

Which tags
  --threshold N              score from which a tag is taken; default: that of the tagger's kind (also --thresh,
                             --general-threshold)
  --character-threshold N    the same for characters; more than 1 takes none
  --copyright-threshold N, --artist-threshold N, --meta-threshold N, --model-threshold N    the same for other kinds of tags
  --mcut                     thresholds where scores have their widest gap
  --undesired-tags LIST      tags never to write, separated by commas
  --tag-replacement PAIRS    old,new;old,new: whole tags renamed; "old," removes; \\, and \\; are part of a tag
  --use-rating-tags, --use-rating-tags-as-last-tag      write the rating, first or last
  --use-quality-tags, --use-quality-tags-as-last-tag    the same for the quality

How they are written
  --order score|list|name    surest first (default), as in the tagger's list, which is what sd-scripts does, or by alphabet
  --character-tags-first     characters in front
  --character-tag-expand     saber (fate) becomes saber, fate
  --add-tags LIST            put in front of every caption, e.g. a trigger word
  --always-first-tags LIST   moved to the front where they are found, in this order
  --keep-underscores         long_hair instead of long hair (--remove-underscore is what happens without)
  --escape-brackets          saber \\(fate\\) instead of saber (fate)

How captioners write
  --beam-search              the best of several captions that grow together, instead of word by word
  --num-beams N              how many of them; default 3
  --nucleus                  draw words by their probability
  --top-p N                  from the likeliest words with this much probability together; default 0.9
  --temperature N            above 1: less likely words more often; default 1
  --seed N                   of what is drawn; default 42
  --repetition-penalty N     above 1: words that were used already are less likely; default 1
  --length-penalty N         above 0: beams prefer longer captions; default 1
  --min-length N, --max-length N    in words and parts of words, with the prompt
  --remove-words             take out what the picture is said to show in writing; GIT makes such things up
  --keep-words               leave it in, where the model's default is to take it out
  --prefix TEXT, --postfix TEXT    put around every caption
`;

const text = { type: "string" } as const;
const flag = { type: "boolean", default: false } as const;

const optionTypes = {
  tagger: text, kind: text, data: text,
  append: flag, "append-tags": flag, prepend: flag, overwrite: flag, "dry-run": flag,
  "caption-extension": { type: "string", default: ".txt" },
  threshold: text, thresh: text, "general-threshold": text, "character-threshold": text,
  "copyright-threshold": text, "artist-threshold": text, "meta-threshold": text, "model-threshold": text,
  mcut: flag,
  "undesired-tags": { type: "string", default: "" },
  "tag-replacement": { type: "string", default: "" },
  "use-rating-tags": flag, "use-rating-tags-as-last-tag": flag, "use-quality-tags": flag, "use-quality-tags-as-last-tag": flag,
  order: { type: "string", default: defaultTagRules.order },
  "character-tags-first": flag, "character-tag-expand": flag,
  "add-tags": { type: "string", default: "" },
  "always-first-tags": { type: "string", default: "" },
  "keep-underscores": flag, "remove-underscore": flag, "escape-brackets": flag,
  "beam-search": flag, nucleus: flag, "num-beams": text, "top-p": text, temperature: text, seed: text,
  "repetition-penalty": text, "length-penalty": text, "min-length": text, "max-length": text,
  "remove-words": flag, "keep-words": flag,
  prefix: { type: "string", default: "" },
  postfix: { type: "string", default: "" },
} as const;

export type TagOptionValues = ReturnType<typeof readTagOptions>["values"];

/** @throws InputError `cli.usage` */
export function readTagOptions(argv: readonly string[]) {
  const dashed = argv.map((word) => word.replace(/^--[a-z_]+/, (name) => name.replaceAll("_", "-")));
  return readOptions("tag", dashed, optionTypes);
}

/** @throws InputError `cli.usage` */
export function chosenMode(options: TagOptionValues): CaptionMode {
  const wanted = { ...options, append: options.append || options["append-tags"] };
  const chosen = captionModes.filter((mode) => mode !== "keep" && wanted[mode]);
  if (chosen.length > 1) throw usageError("tag", `--${chosen.join(" and --")} contradict each other`);
  return chosen[0] ?? "keep";
}

/** @throws InputError `cli.usage`, `tagger.replacement` */
export function chosenRules(options: TagOptionValues, { thresholds }: Pick<TaggerManifest, "thresholds">): TagRules {
  const { order } = options;
  if (order !== "score" && order !== "list" && order !== "name") {
    throw usageError("tag", `--order is "${order}"; it is score, list or name`);
  }
  const generalNames = ["threshold", "thresh", "general-threshold"] as const;
  const given = generalNames.find((name) => options[name] !== undefined) ?? "threshold";
  const kinds = (["copyright", "artist", "meta", "model"] as const)
    .map((kind) => [kind, threshold(options, `${kind}-threshold`)] as const)
    .filter(([, value]) => value !== undefined);
  return {
    generalThreshold: threshold(options, given) ?? thresholds.general,
    characterThreshold: threshold(options, "character-threshold") ?? thresholds.character,
    kindThresholds: Object.fromEntries(kinds),
    isMcut: options.mcut,
    order,
    charactersFirst: options["character-tags-first"],
    expandsCharacters: options["character-tag-expand"],
    rating: place(options["use-rating-tags"], options["use-rating-tags-as-last-tag"]),
    quality: place(options["use-quality-tags"], options["use-quality-tags-as-last-tag"]),
    inWords: !options["keep-underscores"],
    escapeBrackets: options["escape-brackets"],
    added: splitTags(options["add-tags"]),
    first: splitTags(options["always-first-tags"]),
    undesired: splitTags(options["undesired-tags"]),
    replacements: parseReplacements(options["tag-replacement"]),
  };
}

/** As in sd-scripts, the last place wins where both are asked for. */
function place(first: boolean, last: boolean): RatingPlace {
  if (last) return "last";
  return first ? "first" : "none";
}

/** @throws InputError `cli.usage`, `captioner.settings` */
export function chosenSettings(options: TagOptionValues, { settings }: Pick<CaptionerManifest, "settings">): CaptionSettings {
  if (options["beam-search"] && options.nucleus) throw usageError("tag", "--beam-search and --nucleus contradict each other");
  const mode = options["beam-search"] ? "beam" : options.nucleus ? "nucleus" : settings.mode;
  const beams = number(options, "num-beams") ?? (options["beam-search"] ? 3 : undefined);
  const changes = {
    mode, beams, topP: number(options, "top-p"), temperature: number(options, "temperature"), seed: number(options, "seed"),
    repetitionPenalty: number(options, "repetition-penalty"), lengthPenalty: number(options, "length-penalty"),
    minLength: number(options, "min-length"), maxLength: number(options, "max-length"),
  };
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return captionSettings(settings, Object.fromEntries(given) as Partial<CaptionSettings>);
}

export function chosenCaptionRules(options: TagOptionValues, { removesWords }: Pick<CaptionerManifest, "removesWords">): CaptionRules {
  const removes = options["remove-words"] || (removesWords && !options["keep-words"]);
  return { prefix: options.prefix, suffix: options.postfix, removals: removes ? wordRemovals : [] };
}

type TextOption = { [Name in keyof TagOptionValues]-?: TagOptionValues[Name] extends string | undefined ? Name : never }[keyof TagOptionValues];

function number(options: TagOptionValues, name: TextOption, least = -Infinity): number | undefined {
  const given = options[name];
  if (given === undefined) return undefined;
  const value = given.trim() === "" ? Number.NaN : Number(given);
  if (Number.isFinite(value) && value >= least) return value;
  throw usageError("tag", `--${name} is "${given}"; it is a number${least === -Infinity ? "" : ` from ${least}`}`);
}

function threshold(options: TagOptionValues, name: TextOption): number | undefined {
  return number(options, name, scoreFloor);
}
