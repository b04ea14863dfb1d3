/** Lists of tags that people load: the webui's tag completion (`name,type,count,"aliases"`) and translations (`tag,译文`). */
import { tagKey } from "../dataset/tag-names.ts";
import { InputError } from "../errors.ts";
import { csvRows } from "../formats/csv.ts";

export interface ListedTag {
  readonly tag: string;
  /** How often the tag is used where the list comes from. */
  readonly count: number;
  readonly aliases: readonly string[];
}

export type TagList =
  /** The most used tags first. */
  | { readonly kind: "tags"; readonly tags: readonly ListedTag[] }
  | { readonly kind: "translations"; readonly translations: ReadonlyMap<string, string> };

/**
 * Reads either kind; which one it is shows in the second column. Underscores become spaces. A heading is passed over.
 * @param file name for messages
 * @throws InputError `tagList.unreadable`
 */
export function readTagList(text: string, file: string): TagList {
  const rows = csvRows(text)?.filter(({ fields }) => (fields[0] ?? "").trim() !== "");
  if (rows === undefined) throw unreadable(file, "a quote is never closed");
  const isTags = rows.some(({ fields }) => isNumber(fields[1]) && (isNumber(fields[2]) || fields.length === 2));
  if (isTags) {
    const tags = rows.filter(({ fields }) => isNumber(fields[1])).map(({ fields }): ListedTag => {
      const [name = "", first = "", second] = fields;
      return {
        tag: name.trim().replaceAll("_", " "),
        // Lists of two columns have no type.
        count: Number(second ?? first) || 0,
        aliases: (fields[3] ?? "").split(",").map((alias) => alias.trim().replaceAll("_", " ")).filter((alias) => alias !== ""),
      };
    });
    return { kind: "tags", tags: tags.sort((a, b) => b.count - a.count) };
  }
  // Some lists have the type between the tag and its translation.
  const pairs = rows.map(({ fields }) => [tagKey(fields[0] ?? ""), (fields.length > 2 ? fields[2] : fields[1])?.trim() ?? ""] as const);
  const translations = new Map(pairs.filter(([, text]) => text !== ""));
  if (translations.size === 0) throw unreadable(file, "no line has a tag and something behind a comma");
  return { kind: "translations", translations };
}

function isNumber(field: string | undefined): boolean {
  return field !== undefined && /^\s*\d+\s*$/.test(field);
}

function unreadable(file: string, reason: string): InputError {
  const message = `${file} is no list of tags: ${reason}. Choose a CSV file with name,type,count,"aliases" or tag,translation in each line.`;
  return new InputError("tagList.unreadable", message, { file, reason });
}
