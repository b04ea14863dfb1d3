import { backgrounds, clothes, hair, skin } from "./palette.mjs";

/** Style `openPeeps` by Pablo Stanley: CC0 1.0. */
export const tag = "comic";

/** `ink`: always drawn black; `tint`: takes the hair colour; `cloth`: takes the colour of the clothes. */
const heads = {
  boy: [
    ["short1", "ink", ["short hair"]], ["short5", "ink", ["short hair"]], ["pomp", "ink", ["short hair", "quiff"]],
    ["afro", "ink", ["afro"]], ["dreads2", "ink", ["dreadlocks"]], ["noHair1", "none", ["bald"]],
    ["grayShort", "tint", ["short hair"]], ["short4", "tint", ["short hair", "quiff"]], ["mohawk", "tint", ["mohawk"]],
    ["grayShort", "tint", ["short hair"]],
  ],
  girl: [
    ["bangs2", "ink", ["bob cut"]], ["long", "ink", ["long hair"]], ["longCurly", "ink", ["long hair", "curly hair"]],
    ["mediumStraight", "ink", ["bob cut"]], ["afro", "ink", ["afro"]], ["buns", "ink", ["hair buns"]],
    ["bangs", "tint", ["bob cut"]], ["grayBun", "tint", ["hair bun"]], ["bangs", "tint", ["bob cut"]],
    ["grayBun", "tint", ["hair bun"]],
  ],
};
const hats = [["hatBeanie", "cloth", "beanie"], ["turban", "cloth", "turban"], ["hatHip", "ink", "hat"]];
const faces = [
  [4, ["smile", ["smile"]]], [2, ["smileBig", ["grin", "closed eyes"]]], [2, ["calm", ["light smile", "closed eyes"]]],
  [2, ["veryAngry", ["angry", "frown"]]], [2, ["serious", ["serious"]]], [2, ["awe", ["wide eyes", "light smile"]]],
  [2, ["lovingGrin1", ["heart eyes", "open mouth"]]], [2, ["explaining", ["open mouth"]]],
  [2, ["rage", ["angry", "open mouth"]]], [2, ["solemn", ["frown", "closed eyes"]]],
];
const glasses = [
  [11, undefined], [3, ["glasses3", "glasses"]], [3, ["glasses2", "round glasses"]], [3, ["sunglasses", "sunglasses"]],
  [2, ["eyepatch", "eyepatch"]],
];
const beards = [
  [8, undefined], [3, ["full2", "full beard"]], [3, ["full3", "long beard"]], [3, ["moustache5", "mustache"]],
  [2, ["goatee2", "goatee"]],
];

export function draw(random) {
  const girl = random.chance(0.45);
  const look = {
    girl,
    head: random.pick(girl ? heads.girl : heads.boy),
    hairColor: random.pick(Object.keys(hair)),
    hat: random.chance(0.2) ? random.pick(hats) : undefined,
    face: random.weighted(faces),
    glasses: random.weighted(glasses),
    beard: girl ? undefined : random.weighted(beards),
    mask: random.chance(0.05),
    skin: random.pick(Object.keys(skin)),
    clothesColor: random.pick(Object.keys(clothes)),
    background: random.pick(Object.keys(backgrounds)),
  };
  if (girl && !look.hat && random.chance(0.06)) look.hat = ["hijab", "ink", "hijab"];
  if (look.mask) look.beard = undefined;
  return look;
}

export function tags(look) {
  const out = [look.girl ? "1girl" : "1boy"];
  if (look.hat) {
    out.push(look.hat[2]);
    if (look.hat[2] !== "hijab") out.push(`${look.hat[1] === "cloth" ? look.clothesColor : "black"} ${look.hat[2]}`);
  } else {
    out.push(...look.head[2]);
    if (look.head[1] !== "none") out.push(`${look.head[1] === "ink" ? "black" : look.hairColor} hair`);
  }
  if (look.beard) out.push(look.beard[1]);
  if (look.mask) out.push("surgical mask");
  out.push(...look.face[1].filter((name) => shows(look, name)));
  if (look.glasses) out.push(look.glasses[1]);
  out.push(`${look.skin} skin`, "shirt", `${look.clothesColor} shirt`, `${look.background} background`);
  return out;
}

export function options(look) {
  return {
    style: "openPeeps",
    options: {
      backgroundColor: [backgrounds[look.background]],
      head: [look.hat?.[0] ?? look.head[0]], headContrastColor: [hair[look.hairColor]],
      face: [look.face[0]],
      facialHair: [look.beard?.[0] ?? "full"], facialHairProbability: look.beard ? 100 : 0,
      accessories: [look.glasses?.[0] ?? "glasses"], accessoriesProbability: look.glasses ? 100 : 0,
      mask: ["medicalMask"], maskProbability: look.mask ? 100 : 0,
      clothingColor: [clothes[look.clothesColor]], skinColor: [skin[look.skin]],
    },
  };
}

const mouthTags = ["smile", "light smile", "grin", "frown", "open mouth"];
const eyeTags = ["closed eyes", "wide eyes", "heart eyes"];

/** What a mask or glasses cover is not to be tagged. */
function shows(look, name) {
  if (look.mask && mouthTags.includes(name)) return false;
  return !(look.glasses && ["sunglasses", "eyepatch"].includes(look.glasses[1]) && [...eyeTags, "angry"].includes(name));
}
