/** Where the tiles of a long grid lie, and which of them are in view: sections with a heading, rows of equal tiles. */

export interface Section {
  /** Index of its first tile among all tiles. */
  readonly start: number;
  readonly count: number;
}

export interface GridSizes {
  /** Of the visible area, in pixels. */
  readonly width: number;
  readonly tileWidth: number;
  readonly tileHeight: number;
  readonly gap: number;
  readonly headingHeight: number;
}

export interface PlacedSection extends Section {
  /** Of the heading; the tiles begin below it. */
  readonly top: number;
  readonly bottom: number;
}

export interface GridLayout {
  readonly columns: number;
  /** Tiles share what is left of the width. */
  readonly tileWidth: number;
  readonly sections: readonly PlacedSection[];
  readonly height: number;
}

export interface Place {
  readonly index: number;
  readonly left: number;
  readonly top: number;
}

/** Lays sections out below each other. */
export function layOutGrid(sections: readonly Section[], sizes: GridSizes): GridLayout {
  const { width, gap, tileHeight, headingHeight } = sizes;
  const columns = Math.max(1, Math.floor((width + gap) / (sizes.tileWidth + gap)));
  const tileWidth = Math.max(1, (width - gap * (columns - 1)) / columns);
  const placed: PlacedSection[] = [];
  let top = 0;
  for (const section of sections) {
    const rows = Math.ceil(section.count / columns);
    const bottom = top + headingHeight + rows * (tileHeight + gap);
    placed.push({ ...section, top, bottom });
    top = bottom;
  }
  return { columns, tileWidth, sections: placed, height: top };
}

/** The tiles of all rows that reach into `from`…`to`, pixels from the top of the grid. */
export function tilesBetween(layout: GridLayout, sizes: GridSizes, from: number, to: number): Place[] {
  const places: Place[] = [];
  const rowHeight = sizes.tileHeight + sizes.gap;
  for (const { start, count, top, bottom } of layout.sections) {
    if (bottom < from || top > to) continue;
    const first = Math.max(0, Math.floor((from - top - sizes.headingHeight) / rowHeight)) * layout.columns;
    const end = Math.ceil((to - top - sizes.headingHeight) / rowHeight) * layout.columns;
    for (let i = first; i < Math.min(count, end); i++) places.push(placeIn(layout, sizes, { start, top }, i));
  }
  return places;
}

/** Where the tile of this index lies; undefined where there is none. */
export function placeOfTile(layout: GridLayout, sizes: GridSizes, index: number): Place | undefined {
  const section = layout.sections.find(({ start, count }) => index >= start && index < start + count);
  return section && placeIn(layout, sizes, section, index - section.start);
}

/**
 * The tile a row above or below, in the nearest column; in the next section where this one ends.
 * @param rows −1 is above
 */
export function tileInRow(layout: GridLayout, index: number, rows: number): number {
  const at = layout.sections.findIndex(({ start, count }) => index >= start && index < start + count);
  const section = layout.sections[at];
  if (section === undefined) return index;
  const target = index - section.start + rows * layout.columns;
  if (target >= 0 && target < section.count) return section.start + target;
  const column = (index - section.start) % layout.columns;
  const lastRow = Math.floor((section.count - 1) / layout.columns);
  const isLastRow = Math.floor((index - section.start) / layout.columns) === lastRow;
  // A shorter last row is still below.
  if (rows > 0 && !isLastRow) return section.start + section.count - 1;
  const next = layout.sections[at + Math.sign(rows)];
  if (next === undefined) return index;
  if (rows > 0) return next.start + Math.min(column, next.count - 1);
  const nextLastRow = Math.floor((next.count - 1) / layout.columns) * layout.columns;
  return next.start + Math.min(nextLastRow + column, next.count - 1);
}

function placeIn(layout: GridLayout, sizes: GridSizes, { start, top }: Pick<PlacedSection, "start" | "top">, offset: number): Place {
  return {
    index: start + offset,
    left: (offset % layout.columns) * (layout.tileWidth + sizes.gap),
    top: top + sizes.headingHeight + Math.floor(offset / layout.columns) * (sizes.tileHeight + sizes.gap),
  };
}
