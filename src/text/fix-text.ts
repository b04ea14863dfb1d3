import entityLines from "./html-entities.txt?raw";

/**
 * Cleans text as ftfy 6.3 does with its default settings, except that it does not repair mojibake (`Ã©` stays).
 * CLIP's tokenizer was trained behind ftfy, and sd-scripts and the web UIs run it: full-width punctuation, curly
 * quotes, entities and control characters must become the same plain characters here.
 */
export function fixText(text: string): string {
  let unescapeHtml = true;
  const lines = text.split(/(?<=\n)/).map((line) => {
    // From the first line with a `<` on, the text is taken for real HTML, whose entities mean themselves.
    if (line.includes("<")) unescapeHtml = false;
    return fixLine(line, unescapeHtml);
  });
  return lines.join("");
}

function fixLine(line: string, unescapeHtml: boolean): string {
  for (;;) {
    const fixed = fixOnce(unescapeHtml ? unescapeEntities(line) : line);
    if (fixed === line) return line;
    line = fixed;
  }
}

const ligatures: Readonly<Record<string, string>> = {
  Ĳ: "IJ",
  ĳ: "ij",
  ŉ: "ʼn",
  Ǳ: "DZ",
  ǲ: "Dz",
  ǳ: "dz",
  Ǆ: "DŽ",
  ǅ: "Dž",
  ǆ: "dž",
  Ǉ: "LJ",
  ǈ: "Lj",
  ǉ: "lj",
  Ǌ: "NJ",
  ǋ: "Nj",
  ǌ: "nj",
  ﬀ: "ff",
  ﬁ: "fi",
  ﬂ: "fl",
  ﬃ: "ffi",
  ﬄ: "ffl",
  ﬅ: "ſt",
  ﬆ: "st",
};
const ligaturePattern = new RegExp(`[${Object.keys(ligatures).join("")}]`, "gu");
const c1Pattern = /[\u0080-\u009f]/g;
const ansiPattern = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*[a-zA-Z]`, "g");
const controlPattern = new RegExp(
  "[" + range(0, 8) + range(11, 11) + range(14, 31) + range(127, 127) + "\\u206a-\\u206f\\ufeff\\ufff9-\\ufffc]",
  "g",
);

function range(from: number, to: number): string {
  const escape = (code: number): string => `\\u${code.toString(16).padStart(4, "0")}`;
  return `${escape(from)}-${escape(to)}`;
}

function fixOnce(line: string): string {
  return line
    .replace(c1Pattern, (char) => windows1252.get(char.charCodeAt(0)) ?? char)
    .replace(ligaturePattern, (char) => ligatures[char]!)
    .replace(/[\uff01-\uffef]/g, (char) => char.normalize("NFKC"))
    .replaceAll("\u3000", " ")
    .replace(/[\u02bc\u2018-\u201b]/g, "'")
    .replace(/[\u201c-\u201f]/g, '"')
    .replace(/\r\n|[\r\u2028\u2029\u0085]/g, "\n")
    .replace(/\p{Surrogate}/gu, "\ufffd")
    .replace(ansiPattern, "")
    .replace(controlPattern, "")
    .normalize("NFC");
}

/** What the codes 80–9F mean in Windows-1252; five of them mean nothing. */
const windows1252 = new Map<number, string>(
  [..."€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ"].flatMap((char, i): [number, string][] =>
    char === " " ? [] : [[0x80 + i, char]],
  ),
);

let entities: Map<string, string> | undefined;

function namedEntity(name: string): string | undefined {
  entities ??= new Map(
    entityLines.split("\n").map((line): [string, string] => {
      const space = line.indexOf(" ");
      return [line.slice(0, space), line.slice(space + 1)];
    }),
  );
  return entities.get(name);
}

/** Replaces named and numeric references that end in a semicolon; what is none stays. */
function unescapeEntities(text: string): string {
  return text.replace(/&(#?[0-9A-Za-z]{1,24});/g, (whole, name: string) => {
    const replacement = name.startsWith("#") ? numericEntity(name.slice(1)) : namedEntity(name);
    return replacement === undefined || replacement === ";" ? whole : replacement;
  });
}

/** HTML's rules for numeric references: Windows-1252 for 80–9F, nothing for other control codes and noncharacters. */
function numericEntity(digits: string): string | undefined {
  const hex = /^[xX][0-9a-fA-F]+$/.test(digits);
  if (!hex && !/^\d+$/.test(digits)) return undefined;
  const code = hex ? Number.parseInt(digits.slice(1), 16) : Number.parseInt(digits, 10);
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return "\ufffd";
  if (code >= 0x80 && code <= 0x9f) return windows1252.get(code) ?? String.fromCharCode(code);
  const isControl = (code < 0x20 && ![9, 10, 12, 13].includes(code)) || code === 0x7f;
  const isNoncharacter = (code >= 0xfdd0 && code <= 0xfdef) || (code & 0xfffe) === 0xfffe;
  return isControl || isNoncharacter ? "" : String.fromCodePoint(code);
}
