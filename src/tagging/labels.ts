/** What a WD14 tagger's outputs are called: `selected_tags.csv`. */
import { InputError } from "../errors.ts";
import { csvRows } from "../formats/csv.ts";

export type LabelKind = "rating" | "general" | "character";

export interface TagLabel {
  /** As Danbooru writes it, with underscores. */
  readonly name: string;
  readonly kind: LabelKind;
}

/** Danbooru's numbers; 9 is the taggers' own for ratings. Artists, copyrights and the rest count as general. */
const kinds: Readonly<Record<string, LabelKind>> = { "4": "character", "9": "rating" };

/**
 * Reads labels in output order. The columns `name` and `category` are found by the header; a row's kind is that of its
 * category, wherever it stands.
 * @param file name for messages
 * @throws InputError `tagger.labels`
 */
export function readLabels(bytes: Uint8Array, file: string): TagLabel[] {
  const rows = csvRows(decode(bytes, file));
  if (rows === undefined) throw unusable(file, 0, "a quote is never closed");
  const [header, ...body] = rows;
  const [name, category] = ["name", "category"].map((title) => header?.fields.indexOf(title) ?? -1);
  if (name === undefined || category === undefined || name < 0 || category < 0) {
    throw unusable(file, 1, "the header has no columns “name” and “category”");
  }
  const labels = body.map(({ line, fields }): TagLabel => {
    const [tag, number] = [fields[name] ?? "", fields[category] ?? ""];
    if (tag === "") throw unusable(file, line, "the name is missing");
    if (!/^\d+$/.test(number)) throw unusable(file, line, `the category is “${number}”, which is no number`);
    return { name: tag, kind: kinds[number] ?? "general" };
  });
  if (!labels.some(({ kind }) => kind !== "rating")) throw unusable(file, 0, "there are no tags in it");
  return labels;
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw unusable(file, 0, "it is not UTF-8 text", cause);
  }
}

/** @param line 0 where no single line is to blame */
function unusable(file: string, line: number, reason: string, cause?: unknown): InputError {
  const place = line === 0 ? file : `${file}, line ${line}`;
  const message = `${place} can't be used as a list of tags: ${reason}. Take the selected_tags.csv that belongs to the model.`;
  return new InputError("tagger.labels", message, { file, line, place, reason }, cause === undefined ? {} : { cause });
}
