import { backgrounds, hair } from "./palette.mjs";

/** Style `lorelei` by Lisa Wischofsky: CC0 1.0. */
export const tag = "lineart";

const heads = {
  boy: [
    ["variant47", ["short hair"]], ["variant03", ["short hair"]], ["variant12", ["short hair", "quiff"]],
    ["variant08", ["short hair", "quiff"]], ["variant05", ["curly hair"]], ["variant27", ["mohawk"]],
    ["variant34", ["bald"]],
  ],
  girl: [
    ["variant21", ["long hair"]], ["variant15", ["long hair"]], ["variant35", ["long hair", "curly hair"]],
    ["variant19", ["bob cut"]], ["variant40", ["bob cut"]], ["variant14", ["hair bun"]], ["variant26", ["hair buns"]],
    ["variant31", ["ponytail"]],
  ],
};
const mouths = [
  [4, ["happy05", "smile"]], [2, ["happy14", "light smile"]], [2, ["happy16", "grin"]], [2, ["happy09", "tongue out"]],
  [2, ["happy18", "open mouth"]], [2, ["sad05", "frown"]],
];
const eyes = [[5, ["variant21", undefined]], [2, ["variant01", "closed eyes"]], [2, ["variant09", "wide eyes"]]];
const glasses = [
  [11, undefined], [3, ["variant03", "glasses"]], [3, ["variant01", "round glasses"]], [3, ["variant02", "sunglasses"]],
];

export function draw(random) {
  const girl = random.chance(0.55);
  return {
    girl,
    head: random.pick(girl ? heads.girl : heads.boy),
    hairColor: random.pick(Object.keys(hair)),
    mouth: random.weighted(mouths),
    eyes: random.weighted(eyes),
    glasses: random.weighted(glasses),
    beard: !girl && random.chance(0.3),
    flower: girl && random.chance(0.15),
    background: random.pick(Object.keys(backgrounds)),
  };
}

export function tags(look) {
  const out = [look.girl ? "1girl" : "1boy", ...look.head[1], `${look.hairColor} hair`];
  if (look.flower) out.push("hair flower");
  if (look.beard) out.push("full beard");
  else out.push(look.mouth[1]);
  if (look.eyes[1] && look.glasses?.[1] !== "sunglasses") out.push(look.eyes[1]);
  if (look.glasses) out.push(look.glasses[1]);
  out.push(`${look.background} background`);
  return out;
}

export function options(look) {
  return {
    style: "lorelei",
    options: {
      scale: 108,
      backgroundColor: [backgrounds[look.background]],
      hair: [look.head[0]], hairColor: [hair[look.hairColor]],
      mouth: [look.mouth[0]], eyes: [look.eyes[0]], eyebrows: ["variant01"], nose: ["variant01"], head: ["variant01"],
      glasses: [look.glasses?.[0] ?? "variant01"], glassesProbability: look.glasses ? 100 : 0,
      beard: ["variant01"], beardProbability: look.beard ? 100 : 0,
      hairAccessoriesProbability: look.flower ? 100 : 0, earringsProbability: 0, frecklesProbability: 0,
    },
  };
}
