/** What came of an import: plain data, shown on the page. */
import type { Ignored } from "../dataset/report.ts";
import type { ErrorData } from "../errors.ts";

export type ImportNoteCode =
  /** The very same file is in the set already; it was not taken in again. */
  | "duplicate"
  /** … as a regularization picture, or the other way round, which is never allowed. */
  | "inOtherKind"
  /** It looks like another picture of the set. */
  | "nearDuplicate"
  /** … which is on the other side of regularization. */
  | "nearOtherKind"
  /** Training would have to enlarge it to more than twice its size. */
  | "tooSmall"
  | "renamed"
  /** The name says another kind of picture than the file is; trainers go by the file. */
  | "wrongEnding"
  /** Only the first frame counts. */
  | "animated"
  | "cmyk"
  /** More than 8 bits a channel. */
  | "deep"
  /** Training will be given a PNG in its place. */
  | "converted"
  /** The caption was in another encoding than UTF-8. */
  | "reencodedCaption"
  /** The caption file is no text in any encoding that is known. */
  | "unreadableCaption"
  /** The set's own file has a crop that does not lie in the picture: it is shown whole. */
  | "cropLost"
  /** The path in the archive led out of it. */
  | "unsafePath";

/** Something about one file that is worth a line. */
export interface ImportNote {
  readonly code: ImportNoteCode;
  /** Where the file lay in what was imported. */
  readonly path: string;
  /** The picture that came of it, or the one that is there already. */
  readonly pictureId: string | null;
  /** SHA-256 of the picture, under which its thumbnail is found. */
  readonly original: string | null;
  readonly data: Readonly<Record<string, string | number>>;
}

/** A file that could not be taken in. `code` and `data` are those of an error. */
export interface UnreadableFile {
  readonly path: string;
  readonly code: string;
  readonly data: ErrorData;
  readonly text: string;
}

/** A caption for a picture that was in the set before. */
export interface FoundCaption {
  readonly pictureId: string;
  readonly caption: string;
}

export interface ImportReport {
  /** How it ended; what was in by then stays in. */
  readonly end: "complete" | "cancelled" | "storageFull";
  /** Ids of the pictures that came in. */
  readonly added: readonly string[];
  readonly captions: readonly FoundCaption[];
  readonly notes: readonly ImportNote[];
  readonly unreadable: readonly UnreadableFile[];
  readonly ignored: readonly Ignored[];
  /** Pictures whose turn never came. */
  readonly left: readonly string[];
  readonly milliseconds: number;
}
