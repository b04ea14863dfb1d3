/** Changes values in a configuration's text, so that its comments, order and spelling stay. */

/** How a `key = value` stands on a line of its own. */
interface LineSyntax {
  /** Groups: what comes before the value, the value, what comes behind it. */
  line(key: string): RegExp;
  /** Puts a new line in; false where it finds no place. */
  add(lines: string[], key: string, literal: string): boolean;
}

/**
 * @param literals value as text by key; undefined takes the line away
 * @returns undefined where a value does not stand on a line of its own, or a new one finds no place
 */
export function changeLines(text: string, literals: ReadonlyMap<string, string | undefined>, syntax: LineSyntax): string | undefined {
  const ending = text.includes("\r\n") ? "\r\n" : "\n";
  let lines = text.split(/\r?\n/);
  for (const [key, literal] of literals) {
    const pattern = syntax.line(key);
    if (!lines.some((line) => pattern.test(line))) {
      if (literal !== undefined && !syntax.add(lines, key, literal)) return undefined;
      continue;
    }
    lines = lines.flatMap((line) => {
      if (!pattern.test(line)) return [line];
      return literal === undefined ? [] : [line.replace(pattern, (_, before: string, _old: string, behind: string) => before + literal + behind)];
    });
  }
  return lines.join(ending);
}

const escaped = (key: string): string => key.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** An object's entries on a line each, as kohya_ss saves it: a new one goes where the order of keys wants it. */
export const jsonLines: LineSyntax = {
  line: (key) => new RegExp(`^(\\s*"${escaped(key)}"\\s*:\\s*)(.*?)(,?\\s*)$`),
  add(lines, key, literal) {
    const at = lines.findIndex((line) => (/^\s*"([^"]*)"\s*:/.exec(line)?.[1] ?? "") > key);
    if (at < 0) return false;
    const blanks = /^\s*/.exec(lines[at] ?? "")?.[0] ?? "";
    lines.splice(at, 0, `${blanks}${JSON.stringify(key)}: ${literal},`);
    return true;
  },
};

/** TOML, whose sections sd-scripts does not tell apart: a new line goes to the end. */
export const tomlLines: LineSyntax = {
  line: (key) =>
    new RegExp(`^(\\s*${escaped(key)}\\s*=\\s*)("(?:[^"\\\\]|\\\\.)*"|'[^']*'|\\[[^\\]#]*\\]|[^\\s#"'\\[]+)(\\s*(?:#.*)?)$`),
  add(lines, key, literal) {
    while (lines.at(-1)?.trim() === "") lines.pop();
    lines.push(`${key} = ${literal}`, "");
    return true;
  },
};
