/**
 * Draws the two sets that the demo learns from, laid out as kohya's folders:
 *
 *     <out>/smith/img/8_smith 1boy/*.png + .txt     one character, captions after merging keywords into the trigger
 *     <out>/smith/tags-before-merging/*.txt         the captions that a tagger would give, for the same pictures
 *     <out>/smith/reg/1_1boy/*.png + .txt           regularization pictures of the class
 *     <out>/pixel-art/img/6_pixel art/*.png + .txt  a style that the base model never saw
 *
 *     node pictures/demo-sets.mjs <out>
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import * as flatColor from "./flat-color.mjs";
import * as pixelArt from "./pixel-art.mjs";
import { Random } from "./random.mjs";
import { render } from "./render.mjs";

const size = 128;
const [out] = process.argv.slice(2);
if (!out) {
  console.error("usage: node pictures/demo-sets.mjs <out>");
  process.exit(2);
}

/** What never changes about Smith. The base model knows no apron, no dots, and no red bandana. */
const smith = {
  girl: false, hair: ["bald", ["bald"]], hairColor: "brown", hat: ["bandana", "bandana"], hatColor: "red", skin: "tan",
  beard: ["beardMajestic", "long beard"], angry: false, clothing: ["shirtCrewNeck", "shirt"], clothesColor: "white",
  apron: true,
};
/** Tags that belong to the character and go into the trigger word. */
const merged = new Set([
  "1boy", "brown hair", "bandana", "red bandana", "long beard", "tan skin", "apron", "brown apron", "shirt", "white shirt",
]);
const mouths = {
  smile: ["smile", "smile"], light: ["twinkle", "light smile"], frown: ["sad", "frown"], serious: ["serious", "serious"],
  open: ["screamOpen", "open mouth"], tongue: ["tongue", "tongue out"],
};
const eyes = {
  plain: ["default", undefined], closed: ["happy", "closed eyes"], wink: ["winkWacky", "wink"], wide: ["surprised", "wide eyes"],
  hearts: ["hearts", "heart eyes"],
};
const glasses = { none: undefined, glasses: ["prescription02", "glasses"], round: ["round", "round glasses"], dark: ["wayfarers", "sunglasses"] };
const varied = [
  ["smile", "plain", "none", "blue"], ["light", "plain", "none", "green"], ["serious", "plain", "none", "pink"],
  ["frown", "plain", "none", "yellow"], ["open", "wide", "none", "purple"], ["smile", "closed", "none", "orange"],
  ["tongue", "wink", "none", "grey"], ["smile", "plain", "glasses", "white"], ["serious", "plain", "round", "blue"],
  ["light", "plain", "dark", "yellow"], ["smile", "hearts", "none", "green"], ["open", "plain", "round", "pink"],
  ["frown", "plain", "glasses", "purple"], ["smile", "plain", "dark", "orange"], ["light", "closed", "none", "white"],
  ["smile", "plain", "none", "grey"],
];

async function write(folder, name, drawn, captions) {
  mkdirSync(folder, { recursive: true });
  const pixels = await render(drawn, size);
  const png = sharp(pixels, { raw: { width: size, height: size, channels: 3 } }).png({ palette: true, colours: 64, effort: 10 });
  writeFileSync(join(folder, `${name}.png`), await png.toBuffer());
  writeFileSync(join(folder, `${name}.txt`), captions.join(", "));
}

for (const set of ["smith", "pixel-art"]) rmSync(join(out, set), { recursive: true, force: true });

const before = join(out, "smith/tags-before-merging");
mkdirSync(before, { recursive: true });
for (const [i, [mouth, eye, glass, background]] of varied.entries()) {
  const look = { ...smith, mouth: mouths[mouth], eyes: eyes[eye], glasses: glasses[glass], background };
  const tags = [flatColor.tag, ...flatColor.tags(look)];
  const name = `smith-${String(i + 1).padStart(2, "0")}`;
  writeFileSync(join(before, `${name}.txt`), tags.join(", "));
  const after = ["smith", ...tags.filter((tag) => !merged.has(tag))];
  await write(join(out, "smith/img/8_smith 1boy"), name, flatColor.options(look), after);
}

const random = new Random(77);
for (let i = 0; i < 24; ) {
  const look = flatColor.draw(random);
  if (look.girl) continue;
  i += 1;
  await write(join(out, "smith/reg/1_1boy"), `1boy-${String(i).padStart(2, "0")}`, flatColor.options(look), [flatColor.tag, ...flatColor.tags(look)]);
}

for (let i = 1; i <= 16; i++) {
  const look = pixelArt.draw(random);
  const captions = [pixelArt.tag, ...pixelArt.tags(look)];
  await write(join(out, "pixel-art/img/6_pixel art"), `pixel-art-${String(i).padStart(2, "0")}`, pixelArt.options(look), captions);
}
