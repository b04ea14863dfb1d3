import { backgrounds, clothes, hair, leather, skin } from "./palette.mjs";

/** Style `avataaars` by Pablo Stanley: "free for personal and commercial use". */
export const tag = "flat color";

const boyHair = [
  ["shortFlat", ["short hair"]], ["shortRound", ["short hair"]], ["theCaesar", ["short hair"]],
  ["shortWaved", ["short hair", "quiff"]], ["shortCurly", ["short hair", "curly hair"]], ["dreads01", ["dreadlocks"]],
  ["frizzle", ["undercut"]], ["fro", ["afro"]], ["bald", ["bald"]],
];
const girlHair = [
  ["straight02", ["long hair"]], ["straight01", ["long hair"]], ["curvy", ["long hair", "curly hair"]],
  ["bigHair", ["long hair", "big hair"]], ["bob", ["bob cut"]], ["longButNotTooLong", ["bob cut"]],
  ["bun", ["hair bun"]], ["curly", ["curly hair"]], ["fro", ["afro"]], ["shavedSides", ["long hair", "undercut"]],
];
const hats = [
  ["winterHat1", "ushanka"], ["winterHat03", "beanie"], ["winterHat04", "cat ear hat"], ["turban", "turban"],
  ["hat", "sun hat"], ["bandana", "bandana"],
];
const mouths = [
  [4, ["smile", "smile"]], [2, ["twinkle", "light smile"]], [2, ["sad", "frown"]], [2, ["serious", "serious"]],
  [2, ["screamOpen", "open mouth"]], [2, ["tongue", "tongue out"]], [2, ["grimace", "clenched teeth"]],
];
const eyes = [
  [8, ["default", undefined]], [2, ["happy", "closed eyes"]], [2, ["winkWacky", "wink"]], [2, ["hearts", "heart eyes"]],
  [2, ["surprised", "wide eyes"]],
];
const glasses = [
  [11, undefined], [3, ["prescription02", "glasses"]], [3, ["round", "round glasses"]], [3, ["wayfarers", "sunglasses"]],
  [2, ["eyepatch", "eyepatch"]],
];
const beards = [
  [8, undefined], [3, ["beardMedium", "full beard"]], [3, ["beardMajestic", "long beard"]],
  [3, ["moustacheMagnum", "mustache"]],
];
const clothing = [
  ["hoodie", "hoodie"], ["overall", "overalls"], ["shirtCrewNeck", "shirt"], ["blazerAndShirt", "blazer"],
  ["collarAndSweater", "sweater"],
];
/** Bandanas of the base model; red with dots is Smith's alone. */
const bandanaColors = ["blue", "green", "yellow", "black", "pink", "purple"];

/** Attributes of a random avatar. `wide` adds what only the tagger is to know: aprons and red dotted bandanas. */
export function draw(random, { wide = false } = {}) {
  const girl = random.chance(0.45);
  const look = {
    girl,
    hair: random.pick(girl ? girlHair : boyHair),
    hairColor: random.pick(Object.keys(hair)),
    hat: random.chance(0.28) ? random.pick(hats) : undefined,
    hatColor: random.pick(bandanaColors),
    skin: random.pick(Object.keys(skin)),
    mouth: random.weighted(mouths),
    eyes: random.weighted(eyes),
    angry: random.chance(0.18),
    glasses: random.weighted(glasses),
    beard: girl ? undefined : random.weighted(beards),
    clothing: random.pick(clothing),
    clothesColor: random.pick(Object.keys(clothes)),
    background: random.pick(Object.keys(backgrounds)),
    apron: wide && random.chance(0.12),
  };
  if (girl && look.hat === undefined && random.chance(0.06)) look.hat = ["hijab", "hijab"];
  if (wide && random.chance(0.06)) Object.assign(look, { hat: ["bandana", "bandana"], hatColor: "red" });
  return look;
}

/** What a tagger would say about the look, the most telling first. */
export function tags(look) {
  const out = [look.girl ? "1girl" : "1boy"];
  const hidesHair = look.hat !== undefined;
  if (!hidesHair) out.push(...look.hair[1]);
  const hairShown = (!hidesHair && look.hair[0] !== "bald") || look.beard !== undefined;
  if (hairShown) out.push(`${look.hairColor} hair`);
  if (look.hat) out.push(look.hat[1], `${look.hatColor} ${look.hat[1]}`);
  if (look.beard) out.push(look.beard[1]);
  out.push(look.mouth[1]);
  if (look.eyes[1] && !covers(look.glasses)) out.push(look.eyes[1]);
  if (look.angry && !covers(look.glasses)) out.push("angry");
  if (look.glasses) out.push(look.glasses[1]);
  out.push(`${look.skin} skin`);
  if (look.apron) out.push("apron", "brown apron");
  out.push(look.clothing[1], `${look.clothesColor} ${look.clothing[1]}`, `${look.background} background`);
  return out;
}

/** DiceBear options and our own overlays for the look. */
export function options(look) {
  const bald = look.hat === undefined && look.hair[0] === "bald";
  const ownHat = look.hat?.[0] === "bandana";
  return {
    style: "avataaars",
    options: {
      scale: 112, translateY: 2,
      backgroundColor: [backgrounds[look.background]],
      top: [look.hat && !ownHat ? look.hat[0] : look.hair[0] === "bald" ? "shortFlat" : look.hair[0]],
      topProbability: bald || ownHat ? 0 : 100,
      hairColor: [hair[look.hairColor]], hatColor: [clothes[look.hatColor]],
      facialHair: [look.beard?.[0] ?? "beardMedium"], facialHairProbability: look.beard ? 100 : 0,
      facialHairColor: [hair[look.hairColor]],
      accessories: [look.glasses?.[0] ?? "round"], accessoriesProbability: look.glasses ? 100 : 0,
      accessoriesColor: ["25282c"],
      eyes: [covers(look.glasses) ? "default" : look.eyes[0]],
      eyebrows: [look.angry && !covers(look.glasses) ? "angry" : "default"],
      mouth: [look.mouth[0]], skinColor: [skin[look.skin]],
      clothing: [look.clothing[0]], clothesColor: [clothes[look.clothesColor]],
    },
    overlay: (svg) => {
      let out = svg;
      if (look.apron) out = out.replace('<g transform="translate(78 134)">', `${apron}$&`);
      if (ownHat) out = out.replace(/(<\/g>){4}<\/svg>$/, `${bandana(clothes[look.hatColor], look.hatColor === "red")}$&`);
      return out;
    },
  };
}

/** Dark glasses and the eyepatch hide what the eyes do. */
function covers(accessory) {
  return accessory?.[1] === "sunglasses" || accessory?.[1] === "eyepatch";
}

/** Our own drawing, in the style's coordinates: a knotted cloth over the top of the head. */
function bandana(color, dotted) {
  const dots = [[92, 74], [108, 56], [132, 48], [156, 56], [172, 74], [120, 68], [146, 68]]
    .map(([x, y]) => `<circle cx="${x}" cy="${y}" r="5" fill="#fff"/>`).join("");
  return `<g><path d="M186 84l26-8c6 8 2 18-6 20l-20-2Z" fill="#${color}"/><path d="M186 90l20 20c-4 8-14 8-18 0l-6-14Z" fill="#${color}"/>` +
    `<path d="M72 96C70 54 98 30 132 30s62 24 60 66c-18-13-38-18-60-18s-42 5-60 18Z" fill="#${color}"/>` +
    `<path d="M72 96c18-13 38-18 60-18s42 5 60 18l-1-9c-18-12-37-17-59-17s-41 5-59 17Z" fill="#000" fill-opacity=".16"/>${dotted ? dots : ""}</g>`;
}

/** Our own drawing: a leather apron with two straps. */
const apron =
  `<g><path d="M96 199l-8 30h10l6-27ZM168 199l8 30h-10l-6-27Z" fill="#5f3b20"/>` +
  `<path d="M84 226c16-4 80-4 96 0 4 12 8 30 10 54H74c2-24 6-42 10-54Z" fill="#${leather}"/>` +
  `<path d="M84 226c16-4 80-4 96 0l2 7c-16-4-84-4-100 0Z" fill="#5f3b20"/><path d="M110 248h44v26h-44Z" fill="#5f3b20" fill-opacity=".55"/></g>`;
