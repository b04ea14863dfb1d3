/** What the guide says about a set, by what is to be learnt from it. */
import { asymmetricTags } from "./asymmetric-tags.ts";
import { countTags } from "./tag-statistics.ts";
import type { StudioPicture } from "./picture.ts";
import { sameTag } from "./same-tag.ts";
import type { StudioSet } from "./studio-set.ts";

export type SetKind = "character" | "style";

export type SetAdviceCode =
  /** Fewer pictures than a subject is learnt from. */
  | "fewPictures"
  /** Mirrored pictures stretch a small set; flip_aug makes them while training. */
  | "mirror"
  /** … but something about the subject is on one side only, or there is writing. */
  | "noMirror"
  /** A quick first model draws further pictures, which come into the set. */
  | "bootstrap"
  /** From these sides no caption says that the subject is seen. */
  | "angles"
  /** At these distances neither. */
  | "distances"
  /** A style wants regularization. */
  | "styleReg"
  /** There are enough pictures to make half of them regularization. */
  | "splitHalf"
  /** The pictures show few different things. */
  | "variety"
  | "captions";

export interface SetAdvice {
  readonly code: SetAdviceCode;
  readonly data: Readonly<Record<string, string | number>>;
}

/** Below these, the guide's ways to more pictures are worth it. */
const FEW: Readonly<Record<SetKind, number>> = { character: 15, style: 30 };
/** From this many on, half of a style's pictures can be spared. */
const ENOUGH_TO_SPLIT = 60;
/** A tag in at most this share of captions says what is different about a picture. */
const COMMON = 0.5;
const LEAST_DIFFERENT_TAGS = 20;

const ANGLES = ["from behind", "from side", "profile", "from above", "from below", "looking back"] as const;
const DISTANCES = ["full body", "upper body", "portrait", "close-up", "cowboy shot"] as const;

/** Advice for the training pictures of a set, the most important first. */
export function adviceFor(kind: SetKind, set: StudioSet, pictures: readonly StudioPicture[]): SetAdvice[] {
  const reg = new Set(set.subsets.flatMap(({ id, isReg }) => (isReg ? [id] : [])));
  const training = pictures.filter(({ subset }) => !reg.has(subset));
  if (training.length === 0) return [];
  const captioned = training.filter(({ caption }) => caption !== null);
  const counts = new Map(countTags(captioned).map(({ key, count }) => [key, count]));
  const advice: SetAdvice[] = [];
  const isFew = training.length < FEW[kind];
  if (isFew) advice.push({ code: "fewPictures", data: { count: training.length, wanted: FEW[kind] } });
  const missing = training.length - captioned.length;
  if (missing > 0) advice.push({ code: "captions", data: { count: missing } });
  if (kind === "character") advice.push(...characterAdvice(counts, captioned.length));
  if (isFew && kind === "character") {
    const oneSided = [...new Set(training.flatMap(({ caption }) => asymmetricTags(caption)))];
    advice.push(oneSided.length === 0 ? { code: "mirror", data: {} } : { code: "noMirror", data: { tags: oneSided.slice(0, 4).join(", ") } });
  }
  if (isFew) advice.push({ code: "bootstrap", data: {} });
  if (kind === "style") advice.push(...styleAdvice(counts, captioned.length, training.length, pictures.length > training.length));
  return advice;
}

function characterAdvice(counts: ReadonlyMap<string, number>, captioned: number): SetAdvice[] {
  // Captions that say nothing of views do not mean that there are none.
  if (captioned === 0 || counts.size < LEAST_DIFFERENT_TAGS) return [];
  const absent = (tags: readonly string[]): string[] => tags.filter((tag) => !counts.has(sameTag(tag)));
  const [angles, distances] = [absent(ANGLES), absent(DISTANCES)];
  return [
    ...(angles.length > ANGLES.length - 2 ? [{ code: "angles", data: { tags: angles.join(", ") } } as const] : []),
    ...(distances.length > DISTANCES.length - 2 ? [{ code: "distances", data: { tags: distances.join(", ") } } as const] : []),
  ];
}

function styleAdvice(counts: ReadonlyMap<string, number>, captioned: number, training: number, hasReg: boolean): SetAdvice[] {
  const advice: SetAdvice[] = [];
  const different = [...counts.values()].filter((count) => count <= captioned * COMMON).length;
  if (captioned > 0 && different < LEAST_DIFFERENT_TAGS) advice.push({ code: "variety", data: { count: different } });
  if (!hasReg) advice.push(training >= ENOUGH_TO_SPLIT ? { code: "splitHalf", data: { count: training } } : { code: "styleReg", data: {} });
  return advice;
}
