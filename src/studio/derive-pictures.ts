/** Pictures that are made of others in the set: parts of long ones, flipped copies. They share the other's file. */
import { changePicture, type Change } from "./edit.ts";
import { stemOf, type Crop, type StudioPicture } from "./picture.ts";

/** Names that are taken, by subset, in lower case. */
type Names = Map<string, Set<string>>;

/**
 * A picture becomes the first of its crops; pictures with the others are added, named after it.
 * @param crops several, or one
 * @param newId a fresh id at each call
 */
export function applyCrops(
  all: Iterable<StudioPicture>, proposals: readonly { readonly picture: StudioPicture; readonly crops: readonly Crop[] }[], newId: () => string,
): Change[] {
  const names = namesIn(all);
  return proposals.flatMap(({ picture, crops: [first, ...others] }) => {
    const change = first && changePicture(picture, { crop: first });
    const added = others.map((crop, i): Change => ({
      kind: "add",
      picture: { ...derived(picture, `-${i + 2}`, names, newId), crop },
    }));
    return [...(change === undefined ? [] : [change]), ...added];
  });
}

/** A flipped copy beside each picture, with its caption. */
export function flippedCopies(all: Iterable<StudioPicture>, pictures: readonly StudioPicture[], newId: () => string): Change[] {
  const names = namesIn(all);
  return pictures.map((picture) => ({
    kind: "add",
    picture: { ...derived(picture, "-flipped", names, newId), isMirrored: !picture.isMirrored },
  }));
}

function namesIn(pictures: Iterable<StudioPicture>): Names {
  const names: Names = new Map();
  for (const { subset, name } of pictures) takenIn(names, subset).add(name.toLowerCase());
  return names;
}

function takenIn(names: Names, subset: string): Set<string> {
  const taken = names.get(subset) ?? new Set();
  names.set(subset, taken);
  return taken;
}

function derived(picture: StudioPicture, suffix: string, names: Names, newId: () => string): StudioPicture {
  const stem = stemOf(picture.name);
  const ending = picture.name.slice(stem.length);
  const taken = takenIn(names, picture.subset);
  let name = `${stem}${suffix}${ending}`;
  for (let i = 2; taken.has(name.toLowerCase()); i++) name = `${stem}${suffix}-${i}${ending}`;
  taken.add(name.toLowerCase());
  return { ...picture, id: newId(), name, origin: { kind: "derived", from: picture.id } };
}
