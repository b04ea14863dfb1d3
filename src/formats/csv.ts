/**
 * Rows of a CSV text (RFC 4180): commas, any line ends, fields in double quotes that may hold all of these, quotes
 * doubled. Empty lines are skipped. Undefined where a quote is never closed.
 */
export function csvRows(text: string): { readonly line: number; readonly fields: readonly string[] }[] | undefined {
  const rows: { line: number; fields: string[] }[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\r|\n|$)/y;
  let fields: string[] = [];
  let line = 1;
  let start = 1;
  field.lastIndex = text.startsWith("\uFEFF") ? 1 : 0;
  while (field.lastIndex < text.length) {
    const match = field.exec(text);
    if (match === null) return undefined;
    const [whole, quoted, plain = "", end] = match;
    fields.push(quoted?.replaceAll('""', '"') ?? plain);
    line += whole.split(/\r\n|\r|\n/).length - 1;
    if (end === "," && field.lastIndex < text.length) continue;
    // A comma at the very end of the text has an empty field behind it.
    if (end === ",") fields.push("");
    if (fields.length > 1 || fields[0] !== "") rows.push({ line: start, fields });
    fields = [];
    start = line;
  }
  return rows;
}
