import { backgrounds, clothes, hair, skin } from "./palette.mjs";

/** Style `pixelArt` by DiceBear: CC0 1.0. Kept out of the base model: the demo's second set teaches it. */
export const tag = "pixel art";

const heads = {
  boy: [["short01", ["short hair"]], ["short04", ["short hair"]], ["short10", ["short hair"]], ["short16", ["short hair"]]],
  girl: [["long01", ["long hair"]], ["long04", ["long hair"]], ["long10", ["long hair"]], ["long16", ["long hair"]]],
};
const mouths = [["happy01", "smile"], ["happy09", "smile"], ["sad01", "frown"]];
const glasses = [[4, undefined], [1, ["dark01", "sunglasses"]], [1, ["light01", "glasses"]]];

export function draw(random) {
  const girl = random.chance(0.5);
  return {
    girl,
    head: random.pick(girl ? heads.girl : heads.boy),
    hairColor: random.pick(Object.keys(hair)),
    mouth: random.pick(mouths),
    glasses: random.weighted(glasses),
    skin: random.pick(Object.keys(skin)),
    clothesColor: random.pick(Object.keys(clothes)),
    background: random.pick(Object.keys(backgrounds)),
  };
}

export function tags(look) {
  const out = [look.girl ? "1girl" : "1boy", ...look.head[1], `${look.hairColor} hair`, look.mouth[1]];
  if (look.glasses) out.push(look.glasses[1]);
  return [...out, `${look.skin} skin`, "shirt", `${look.clothesColor} shirt`, `${look.background} background`];
}

export function options(look) {
  return {
    style: "pixelArt",
    options: {
      backgroundColor: [backgrounds[look.background]],
      hair: [look.head[0]], hairColor: [hair[look.hairColor]], skinColor: [skin[look.skin]],
      mouth: [look.mouth[0]], clothing: ["variant12"], clothingColor: [clothes[look.clothesColor]],
      glasses: [look.glasses?.[0] ?? "dark01"], glassesProbability: look.glasses ? 100 : 0,
      beardProbability: 0, accessoriesProbability: 0, hatProbability: 0, eyes: ["variant01"],
    },
  };
}
