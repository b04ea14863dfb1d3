/**
 * `lorasmith.json`, which lies beside an exported set: all that files and folders cannot say, so that an import gives the
 * same set again. Read strictly, since it may come from anywhere.
 */
import { array, boolean, finite, integer, literal, minValue, nullable, number, object, optional, picklist, pipe, record, regex, safeParse, string, variant } from "valibot";
import type { InferOutput } from "valibot";
import { InputError } from "../errors.ts";
import type { Crop, PictureOrigin, StudioPicture } from "./picture.ts";
import type { StudioSet } from "./studio-set.ts";

export const sidecarName = "lorasmith.json";
/** Raised when older programs could no longer read what is written. */
const version = 1;

const whole = pipe(number(), integer(), minValue(0));
const size = { width: pipe(number(), integer(), minValue(1)), height: pipe(number(), integer(), minValue(1)) };
const cropSchema = object({ x: whole, y: whole, ...size, target: optional(object(size)) });
const originSchema = variant("kind", [
  object({ kind: literal("generated"), createdAt: pipe(number(), finite()), infotext: string() }),
  object({ kind: literal("derived"), from: string() }),
]);
const subsetSchema = object({
  id: string(), isReg: boolean(), repeats: pipe(number(), integer(), minValue(1)), identifier: string(), className: string(),
});
const mergeRuleSchema = object({
  trigger: string(),
  absorbed: array(string()),
  synonyms: array(object({ from: array(string()), to: string() })),
  when: picklist(["always", "any", "all"]),
  subsets: nullable(array(string())),
});
const schema = object({
  lorasmithSet: literal(version),
  name: string(),
  captionExtension: pipe(string(), regex(/^\.\w+$/)),
  subsets: array(subsetSchema),
  groups: array(object({ id: string(), name: string(), keyword: string() })),
  mergeRules: array(mergeRuleSchema),
  pictures: record(string(), object({
    id: string(),
    name: string(),
    subset: string(),
    caption: nullable(string()),
    crop: nullable(cropSchema),
    isMirrored: boolean(),
    group: nullable(string()),
    origin: nullable(originSchema),
  })),
});

/** A set as `lorasmith.json` has it. Pictures by path, relative to the file, with "/". */
export type Sidecar = InferOutput<typeof schema>;
export type SidecarPicture = Sidecar["pictures"][string];

/** @param pictures with the paths at which their files lie */
export function writeSidecar(set: StudioSet, pictures: Iterable<{ readonly path: string; readonly picture: StudioPicture }>): string {
  const { name, captionExtension, subsets, groups, mergeRules } = set;
  const rows = [...pictures].map(({ path, picture }) => {
    const { id, name, subset, caption, crop, isMirrored, group, origin } = picture;
    return [path, { id, name, subset, caption, crop, isMirrored, group, origin }] as const;
  });
  const sidecar = { lorasmithSet: version, name, captionExtension, subsets, groups, mergeRules, pictures: Object.fromEntries(rows) };
  return `${JSON.stringify(sidecar, null, 1)}\n`;
}

/**
 * Reads a sidecar.
 * @returns undefined where the text is some other JSON
 * @throws InputError `studioSet.damaged`, `studioSet.newer`
 */
export function readSidecar(text: string): Sidecar | undefined {
  if (!text.includes('"lorasmithSet"')) return undefined;
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw damaged();
  }
  const written = typeof data === "object" && data !== null && "lorasmithSet" in data ? data.lorasmithSet : undefined;
  if (typeof written === "number" && written > version) {
    const message = `${sidecarName} was written by a newer Lorasmith (format ${written}); this one reads up to ${version}. Update the page.`;
    throw new InputError("studioSet.newer", message, { version: written, known: version });
  }
  const result = safeParse(schema, data);
  if (!result.success) throw damaged();
  return result.output;
}

function damaged(): InputError {
  const message = `${sidecarName} is damaged, so crops, groups and rules in it are lost; the pictures and captions beside it are taken as they are.`;
  return new InputError("studioSet.damaged", message);
}

/** The parsed crop, without the `undefined` that optional fields may have. */
export function cropOf(crop: SidecarPicture["crop"]): Crop | null {
  if (crop === null) return null;
  const { target, ...rest } = crop;
  return target === undefined ? rest : { ...rest, target };
}

/** @param ids the new id of each picture of the file; a copy of a picture that is not here is a picture of its own */
export function originOf(origin: SidecarPicture["origin"], ids: ReadonlyMap<string, string>): PictureOrigin | null {
  if (origin?.kind !== "derived") return origin;
  const from = ids.get(origin.from);
  return from === undefined ? null : { kind: "derived", from };
}
