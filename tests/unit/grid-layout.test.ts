import { expect, test } from "vitest";
import { layOutGrid, placeOfTile, tileInRow, tilesBetween } from "../../src/ui/screens/dataset/grid-layout.ts";

const sizes = { width: 340, tileWidth: 100, tileHeight: 120, gap: 10, headingHeight: 30 };
const layout = layOutGrid([{ start: 0, count: 7 }, { start: 7, count: 2 }], sizes);

test("tiles fill the width, row by row and section by section", () => {
  expect(layout.columns).toBe(3);
  expect(layout.tileWidth).toBeCloseTo(320 / 3);
  expect(layout.sections.map(({ top, bottom }) => [top, bottom])).toEqual([[0, 420], [420, 580]]);
  expect(layout.height).toBe(580);
  expect(placeOfTile(layout, sizes, 4)).toEqual({ index: 4, left: 320 / 3 + 10, top: 160 });
  expect(placeOfTile(layout, sizes, 7)).toEqual({ index: 7, left: 0, top: 450 });
  expect(placeOfTile(layout, sizes, 9)).toBeUndefined();
});

test("what is in view is every tile that reaches into it, and no other", () => {
  for (let from = 0; from < 580; from += 13) {
    const to = from + 150;
    const seen = tilesBetween(layout, sizes, from, to).map(({ index }) => index);
    const wanted = Array.from({ length: 9 }, (_, index) => placeOfTile(layout, sizes, index)!)
      .filter(({ top }) => top < to && top + 120 > from)
      .map(({ index }) => index);
    expect(wanted.every((index) => seen.includes(index)), `${from}`).toBe(true);
    expect(seen.length).toBeLessThanOrEqual(wanted.length + 3);
  }
});

test("one column is left where nothing fits", () => {
  expect(layOutGrid([{ start: 0, count: 3 }], { ...sizes, width: 40 }).columns).toBe(1);
});

test("moving up and down keeps the column, over the border of sections and at shorter rows", () => {
  expect(tileInRow(layout, 1, 1)).toBe(4);
  expect(tileInRow(layout, 5, 1)).toBe(6);
  expect(tileInRow(layout, 6, 1)).toBe(7);
  expect(tileInRow(layout, 8, -1)).toBe(6);
  expect(tileInRow(layout, 7, -1)).toBe(6);
  expect(tileInRow(layout, 8, 1)).toBe(8);
  expect(tileInRow(layout, 1, -1)).toBe(1);
});
