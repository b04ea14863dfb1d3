/** File names that every system can hold, and that stay apart where letter case does not count. */
import { stemOf } from "./picture.ts";

/** Of a name; most systems count bytes or UTF-16 units up to 255, and captions have longer endings than some pictures. */
const LONGEST_STEM_BYTES = 200;
const RESERVED = /^(con|prn|aux|nul|(com|lpt)[0-9¹²³])$/iu;
// Half of a pair of UTF-16 units has no bytes in UTF-8.
const ILLEGAL = /[<>:"/\\|?*\p{Cc}]|\p{Surrogate}/gu;

/** What two names have in common that some system takes for one: Windows by letter case, macOS by composition. */
export function caseKey(name: string): string {
  return name.normalize("NFC").toLowerCase().normalize("NFC");
}

/** A folder's or a file's name as Windows, macOS and Linux take it; the same where it is fine already. */
export function safeName(name: string): string {
  const legal = name.replace(ILLEGAL, "_").replace(/[. ]+$/u, (tail) => "_".repeat(tail.length));
  const stem = legal.slice(0, legal.includes(".") ? legal.indexOf(".") : undefined).trimEnd();
  const free = RESERVED.test(stem) ? `_${legal}` : legal;
  return free === "" ? "_" : shortened(free);
}

function shortened(name: string): string {
  const encoder = new TextEncoder();
  if (encoder.encode(name).length <= LONGEST_STEM_BYTES) return name;
  let short = "";
  for (const character of name) {
    if (encoder.encode(short + character).length > LONGEST_STEM_BYTES) break;
    short += character;
  }
  return short.replace(/[. ]+$/u, "");
}

/** The first of `stem`, `stem-2`, `stem-3`, … that `isFree`. */
export function freeStem(stem: string, isFree: (stem: string) => boolean): string {
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? stem : `${stem}-${number}`;
    if (isFree(candidate)) return candidate;
  }
}

/** A picture's name that is not among `taken` (keys of `caseKey`); it is added to them. */
export function claimName(name: string, taken: Set<string>): string {
  const stem = stemOf(name);
  const ending = name.slice(stem.length);
  const free = `${freeStem(stem, (candidate) => !taken.has(caseKey(candidate + ending)))}${ending}`;
  taken.add(caseKey(free));
  return free;
}
