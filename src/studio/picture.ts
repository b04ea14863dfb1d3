/** A picture of a set. Its file stays as it came; all that is decided about it is here. */

/**
 * A part of a picture, in whole pixels of the picture as it is shown: x to the right, y down, from its corner. A picture
 * that is mirrored is cut out first.
 */
export interface Crop {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Where given, what is cut out is resized to this. */
  readonly target?: { readonly width: number; readonly height: number };
}

/** How a picture came to be in the set, where that is not simply from a file. */
export type PictureOrigin =
  /** Drawn by the base model: the webui's "parameters" say how. */
  | { readonly kind: "generated"; readonly createdAt: number; readonly infotext: string }
  /** A flipped copy, or a part of a large picture, made from another picture of the set. */
  | { readonly kind: "derived"; readonly from: string };

export interface StudioPicture {
  readonly id: string;
  /** Id of the subset that it belongs to. */
  readonly subset: string;
  /** File name with its ending. Within a subset no two are the same, whatever the case. */
  readonly name: string;
  /** SHA-256 of the file in hexadecimal: under this it is kept. Several pictures may share one. */
  readonly original: string;
  /** Of the file. */
  readonly bytes: number;
  /** Pixels as shown, with the orientation that the file asks for. */
  readonly width: number;
  readonly height: number;
  /** The whole text of its caption file; null: it has none. */
  readonly caption: string | null;
  /** null: all of it. */
  readonly crop: Crop | null;
  readonly isMirrored: boolean;
  /** Id of a group. */
  readonly group: string | null;
  /** 64 bits that look alike pictures share most of, as 16 hexadecimal digits; see `likeness.ts`. */
  readonly likeness: string;
  readonly origin: PictureOrigin | null;
}

/** File name without its ending: what a picture and its caption file have in common. */
export function stemOf(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? name : name.slice(0, dot);
}
