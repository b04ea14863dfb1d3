/**
 * Pictures that look alike, told by 64 bits: in a grey picture of 9×8 places, whether each place is darker than the one
 * to its right (difference hash). Survives other sizes, endings and qualities; a crop or a mirror is another picture.
 */
import type { RgbaImage } from "../dataset/image.ts";

const COLUMNS = 9;
const ROWS = 8;

/** Pictures with at most this many different bits are taken for the same picture. */
export const nearDistance = 4;

/**
 * The picture's 64 bits, row by row from the top left, as 16 hexadecimal digits. Transparent parts count as white.
 * Whole numbers throughout, so that every engine gives the same bits for the same pixels.
 */
export function likenessOf(image: RgbaImage): string {
  const grey = shrink(image);
  let digits = "";
  for (let row = 0; row < ROWS; row++) {
    let bits = 0;
    for (let column = 0; column + 1 < COLUMNS; column++) {
      const at = row * COLUMNS + column;
      bits = bits * 2 + (grey[at]! < grey[at + 1]! ? 1 : 0);
    }
    digits += bits.toString(16).padStart(2, "0");
  }
  return digits;
}

/**
 * Grey means of 9×8 areas, rounded. A column of the small picture covers `width` ninths of source pixels, and a source
 * pixel nine of them: the overlaps are whole numbers.
 */
function shrink({ width, height, data }: RgbaImage): Uint8Array {
  const sums = new Float64Array(COLUMNS * ROWS);
  const columns = overlaps(width, COLUMNS);
  const rows = overlaps(height, ROWS);
  const line = new Float64Array(COLUMNS);
  for (let y = 0; y < height; y++) {
    line.fill(0);
    for (let x = 0; x < width; x++) {
      const value = greyAt(data, (y * width + x) * 4);
      for (const [column, share] of columns[x]!) line[column] = line[column]! + share * value;
    }
    for (const [row, share] of rows[y]!) {
      for (let column = 0; column < COLUMNS; column++) {
        const at = row * COLUMNS + column;
        sums[at] = sums[at]! + share * line[column]!;
      }
    }
  }
  // Rounded, so that what is equal to the eye is not told apart by noise.
  return Uint8Array.from(sums, (sum) => Math.floor(sum / (width * height) + 0.5));
}

/** For each source pixel: which places it falls into, and with how many parts of its own `count`. */
function overlaps(length: number, count: number): (readonly [place: number, share: number])[][] {
  return Array.from({ length }, (_, pixel) => {
    const [begin, end] = [pixel * count, (pixel + 1) * count];
    const found: (readonly [number, number])[] = [];
    for (let place = Math.floor(begin / length); place < count && place * length < end; place++) {
      found.push([place, Math.min(end, (place + 1) * length) - Math.max(begin, place * length)]);
    }
    return found;
  });
}

/** Luma of ITU-R 601 in 16 bits, as Pillow's "L" has it, over white. */
function greyAt(data: RgbaImage["data"], at: number): number {
  const alpha = data[at + 3]!;
  const over = (value: number): number => alpha === 255 ? value : Math.floor((value * alpha + 255 * (255 - alpha)) / 255 + 0.5);
  return (over(data[at]!) * 19_595 + over(data[at + 1]!) * 38_470 + over(data[at + 2]!) * 7471 + 0x8000) >>> 16;
}

/** How many of the 64 bits differ. */
export function distance(a: string, b: string): number {
  return distanceOf(halvesOf(a), halvesOf(b));
}

/** A likeness as two numbers of 32 bits, for whoever compares many. */
export type Halves = readonly [high: number, low: number];

export const halvesOf = (likeness: string): Halves => [
  Number.parseInt(likeness.slice(0, 8), 16) >>> 0, Number.parseInt(likeness.slice(8), 16) >>> 0,
];

export const distanceOf = (a: Halves, b: Halves): number => ones(a[0] ^ b[0]) + ones(a[1] ^ b[1]);

function ones(value: number): number {
  const pairs = value - ((value >>> 1) & 0x5555_5555);
  const fours = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

/**
 * Finds alike pictures among thousands. Of five parts of 64 bits, at least one is the same where at most four bits
 * differ, so only pictures that share a part are compared.
 */
export class LikenessIndex<T> {
  /** By part and its bits: the likenesses that have them. */
  readonly #parts = new Map<number, string[]>();
  readonly #items = new Map<string, T[]>();

  add(likeness: string, item: T): void {
    const known = this.#items.get(likeness);
    if (known !== undefined) {
      known.push(item);
      return;
    }
    this.#items.set(likeness, [item]);
    for (const part of partsOf(likeness)) {
      const list = this.#parts.get(part);
      if (list === undefined) this.#parts.set(part, [likeness]);
      else list.push(likeness);
    }
  }

  /** Items at most `nearDistance` away, nearest first; those of the same likeness among them. */
  near(likeness: string): { readonly item: T; readonly distance: number }[] {
    const own = halvesOf(likeness);
    const candidates = new Set(partsOf(likeness).flatMap((part) => this.#parts.get(part) ?? []));
    const found: { item: T; distance: number }[] = [];
    for (const candidate of candidates) {
      const away = distanceOf(own, halvesOf(candidate));
      if (away <= nearDistance) for (const item of this.#items.get(candidate) ?? []) found.push({ item, distance: away });
    }
    return found.sort((a, b) => a.distance - b.distance);
  }

  get likenesses(): Iterable<string> {
    return this.#items.keys();
  }

  itemsOf(likeness: string): readonly T[] {
    return this.#items.get(likeness) ?? [];
  }

  /** Other likenesses at most `nearDistance` away. */
  alike(likeness: string): string[] {
    const own = halvesOf(likeness);
    const candidates = new Set(partsOf(likeness).flatMap((part) => this.#parts.get(part) ?? []));
    return [...candidates].filter((other) => other !== likeness && distanceOf(own, halvesOf(other)) <= nearDistance);
  }
}

/** Four parts of 13 bits and one of 12, each with its number in front. */
function partsOf(likeness: string): number[] {
  const [high, low] = halvesOf(likeness);
  return [
    high >>> 19,
    0x2000 + ((high >>> 6) & 0x1fff),
    0x4000 + (((high & 0x3f) << 7) | (low >>> 25)),
    0x6000 + ((low >>> 12) & 0x1fff),
    0x8000 + (low & 0xfff),
  ];
}

/**
 * Groups of pictures that look alike, through others of the group where not directly; in order of appearance, those
 * without a companion left out.
 */
export function nearDuplicateGroups<T extends { readonly likeness: string }>(pictures: Iterable<T>): T[][] {
  const index = new LikenessIndex<T>();
  for (const picture of pictures) index.add(picture.likeness, picture);
  const seen = new Set<string>();
  const groups: T[][] = [];
  for (const start of index.likenesses) {
    if (seen.has(start)) continue;
    seen.add(start);
    const group = [start];
    for (const likeness of group) {
      for (const other of index.alike(likeness)) {
        if (seen.has(other)) continue;
        seen.add(other);
        group.push(other);
      }
    }
    const members = group.flatMap((likeness) => index.itemsOf(likeness));
    if (members.length > 1) groups.push(members);
  }
  return groups;
}
