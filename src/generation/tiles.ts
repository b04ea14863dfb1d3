/**
 * Pictures whose decoding does not fit into one binding are decoded in tiles that overlap; the seams are blended
 * linearly. Statistics of norms and the attention of the VAE then see a tile each, so that colours differ slightly
 * from those of a picture decoded whole.
 */

/** Latents that neighbouring tiles share, at least. */
export const tileOverlap = 8;

export interface TileLayout {
  /** Size of every tile. */
  readonly height: number;
  readonly width: number;
  /** Where the tiles begin: every row with every column. */
  readonly rows: readonly number[];
  readonly columns: readonly number[];
}

/** Spreads `rows` × `columns` tiles of one size over a map. */
export function layoutTiles(height: number, width: number, rows: number, columns: number): TileLayout {
  const [tileHeight, tileWidth] = [tileSide(height, rows), tileSide(width, columns)];
  return {
    height: tileHeight,
    width: tileWidth,
    rows: starts(height, tileHeight, rows),
    columns: starts(width, tileWidth, columns),
  };
}

function tileSide(side: number, count: number): number {
  return Math.ceil((side + (count - 1) * tileOverlap) / count);
}

function starts(side: number, tile: number, count: number): number[] {
  // The last tile ends where the map does, and so shares more with the one before where the sizes don't divide.
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? side - tile : i * (tile - tileOverlap)));
}

/** Cuts a tile out of a map [height, width, channels]. */
export function cutTile(
  map: Float32Array, mapWidth: number, channels: number, top: number, left: number, { height, width }: TileLayout,
): Float32Array<ArrayBuffer> {
  const tile = new Float32Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * mapWidth + left) * channels;
    tile.set(map.subarray(from, from + width * channels), y * width * channels);
  }
  return tile;
}

/** A picture that is put together from tiles. All sizes in pixels. */
export class TileBlender {
  readonly #width: number;
  readonly #colours: Float32Array<ArrayBuffer>;
  readonly #weights: Float32Array<ArrayBuffer>;

  constructor(height: number, width: number) {
    this.#width = width;
    this.#colours = new Float32Array(height * width * 3);
    this.#weights = new Float32Array(height * width);
  }

  /**
   * @param tile [height, width, 4]; the fourth channel is ignored
   * @param row, column of the tile in the layout
   */
  add(tile: Float32Array, layout: TileLayout, row: number, column: number): void {
    const down = ramps(layout.rows, layout.height, row);
    const across = ramps(layout.columns, layout.width, column);
    for (let y = 0; y < layout.height; y++) {
      for (let x = 0; x < layout.width; x++) {
        const weight = down[y]! * across[x]!;
        const from = (y * layout.width + x) * 4;
        const to = (layout.rows[row]! + y) * this.#width + layout.columns[column]! + x;
        this.#weights[to]! += weight;
        for (let c = 0; c < 3; c++) this.#colours[to * 3 + c]! += weight * tile[from + c]!;
      }
    }
  }

  /** @returns [height, width, 3] */
  result(): Float32Array<ArrayBuffer> {
    return this.#colours.map((sum, i) => sum / this.#weights[Math.floor(i / 3)]!);
  }
}

/** The layout of latents in pixels. */
export function scaleLayout({ height, width, rows, columns }: TileLayout, factor: number): TileLayout {
  const scale = (value: number): number => value * factor;
  return { height: height * factor, width: width * factor, rows: rows.map(scale), columns: columns.map(scale) };
}

/** How much a tile counts along one side: 1, with a ramp over each overlap. */
function ramps(startsAt: readonly number[], tile: number, index: number): Float32Array<ArrayBuffer> {
  const start = startsAt[index]!;
  const before = index === 0 ? 0 : startsAt[index - 1]! + tile - start;
  const after = index === startsAt.length - 1 ? 0 : start + tile - startsAt[index + 1]!;
  return Float32Array.from({ length: tile }, (_, i) =>
    Math.min(1, before === 0 ? 1 : (i + 0.5) / before, after === 0 ? 1 : (tile - i - 0.5) / after),
  );
}
