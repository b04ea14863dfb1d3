/**
 * Draws a set of avatars: `<out>/<set>.rgb` (N × size × size × 3 bytes) and `<out>/<set>.jsonl` (one `{style, tags}` a line).
 *
 *     node pictures/generate.mjs <out> <set: base | wide> <count> <seed> [size]
 *
 * `base` is what the diffusion model sees; `wide` adds aprons, red dotted bandanas and pixel art, for the tagger.
 */
import { createWriteStream, mkdirSync } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import * as comic from "./comic.mjs";
import * as flatColor from "./flat-color.mjs";
import * as lineart from "./lineart.mjs";
import * as pixelArt from "./pixel-art.mjs";
import { Random } from "./random.mjs";
import { render } from "./render.mjs";

const shares = {
  base: [[50, flatColor], [30, comic], [20, lineart]],
  wide: [[55, flatColor], [20, comic], [13, lineart], [12, pixelArt]],
};

const [out, set, count, seed, size = "128"] = process.argv.slice(2);
if (!out || !shares[set] || !(Number(count) > 0) || seed === undefined) {
  console.error("usage: node pictures/generate.mjs <out> <base | wide> <count> <seed> [size]");
  process.exit(2);
}
mkdirSync(out, { recursive: true });
const pixels = createWriteStream(join(out, `${set}.rgb`));
const captions = createWriteStream(join(out, `${set}.jsonl`));
const random = new Random(Number(seed));
const batch = 32;
for (let done = 0; done < Number(count); done += batch) {
  const looks = Array.from({ length: Math.min(batch, Number(count) - done) }, () => {
    const style = random.weighted(shares[set]);
    return { style, look: style.draw(random, { wide: set === "wide" }) };
  });
  const pictures = await Promise.all(looks.map(({ style, look }) => render(style.options(look), Number(size))));
  for (const [i, { style, look }] of looks.entries()) {
    captions.write(`${JSON.stringify({ style: style.tag, tags: style.tags(look) })}\n`);
    if (!pixels.write(pictures[i])) await new Promise((resolve) => pixels.once("drain", resolve));
  }
  if (done % 3200 === 0) console.log(`${done} of ${count}`);
}
pixels.end();
captions.end();
await Promise.all([finished(pixels), finished(captions)]);
console.log(`${count} pictures in ${join(out, set)}.rgb`);
