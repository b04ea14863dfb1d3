/** An import's report as lists to show: what is worth an action first, what is merely said last. */
import type { ImportNote, ImportNoteCode, ImportReport } from "../../../../studio/import-report.ts";

/** One file of a list. */
export interface ReportRow {
  readonly path: string;
  /** SHA-256 of its picture; null where there is none. */
  readonly original: string | null;
  /** The picture of the set that it is, or that it is like. */
  readonly pictureId: string | null;
  readonly note: ImportNote | null;
  readonly text: string | null;
}

export interface ReportList {
  readonly key: "left" | "unreadable" | "ignored" | ImportNoteCode;
  readonly rows: readonly ReportRow[];
}

/** Notes in the order in which they matter. */
const order: readonly ImportNoteCode[] = [
  "inOtherKind", "nearOtherKind", "nearDuplicate", "tooSmall", "unreadableCaption", "duplicate", "animated", "converted", "deep",
  "cmyk", "cropLost", "wrongEnding", "renamed", "unsafePath", "reencodedCaption",
];

/** @param textOf an error or a reason in the page's language */
export function reportLists(
  report: ImportReport,
  textOf: {
    readonly unreadable: (file: ImportReport["unreadable"][number]) => string;
    readonly ignored: (file: ImportReport["ignored"][number]) => string;
  },
): ReportList[] {
  const plain = (path: string, text: string | null): ReportRow => ({ path, original: null, pictureId: null, note: null, text });
  const lists: ReportList[] = [
    { key: "left", rows: report.left.map((path) => plain(path, null)) },
    { key: "unreadable", rows: report.unreadable.map((file) => plain(file.path, textOf.unreadable(file))) },
    ...order.map((code): ReportList => ({ key: code, rows: report.notes.filter((note) => note.code === code).map(rowOf) })),
    // Nobody misses what systems leave behind.
    { key: "ignored", rows: report.ignored.filter(({ reason }) => reason !== "hidden").map((file) => plain(file.path, textOf.ignored(file))) },
  ];
  return lists.filter(({ rows }) => rows.length > 0);
}

function rowOf(note: ImportNote): ReportRow {
  return { path: note.path, original: note.original, pictureId: note.pictureId, note, text: null };
}
