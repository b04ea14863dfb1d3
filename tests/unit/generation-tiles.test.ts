import { describe, expect, it } from "vitest";
import { cutTile, layoutTiles, scaleLayout, TileBlender, tileOverlap } from "../../src/generation/tiles.ts";

const cases = [[64, 64, 1, 1], [64, 96, 2, 3], [33, 47, 2, 2], [64, 64, 3, 5], [8, 200, 1, 9], [61, 62, 4, 4]] as const;

describe("tiles", () => {
  it.each(cases)("cover %i x %i latents as %i x %i, sharing at least the overlap", (height, width, rows, columns) => {
    const layout = layoutTiles(height, width, rows, columns);
    for (const [starts, tile, side] of [[layout.rows, layout.height, height], [layout.columns, layout.width, width]] as const) {
      expect(starts[0]).toBe(0);
      expect(starts.at(-1)! + tile).toBe(side);
      for (const [i, start] of starts.slice(1).entries()) {
        expect(start).toBeGreaterThan(starts[i]!);
        expect(starts[i]! + tile - start).toBeGreaterThanOrEqual(tileOverlap);
      }
    }
    expect([layout.rows.length, layout.columns.length]).toEqual([rows, columns]);
  });

  it.each(cases)("of what is already there give it back: %i x %i as %i x %i", (height, width, rows, columns) => {
    const layout = layoutTiles(height, width, rows, columns);
    const map = Float32Array.from({ length: height * width * 4 }, (_, i) => Math.sin(i));
    const blender = new TileBlender(height, width);
    for (const [row, top] of layout.rows.entries()) {
      for (const [column, left] of layout.columns.entries()) {
        blender.add(cutTile(map, width, 4, top, left, layout), layout, row, column);
      }
    }
    const errors = blender.result().map((value, i) => Math.abs(value - map[Math.floor(i / 3) * 4 + (i % 3)]!));
    expect(Math.max(...errors)).toBeLessThan(1e-6);
  });

  it("that disagree pass into each other along a ramp", () => {
    const layout = layoutTiles(8, 24, 1, 2);
    const blender = new TileBlender(8, 24);
    for (const column of [0, 1]) blender.add(new Float32Array(layout.height * layout.width * 4).fill(column), layout, 0, column);
    const row = [...blender.result().subarray(0, 24 * 3)].filter((_, i) => i % 3 === 0);
    expect(row.slice(0, 8)).toEqual(Array.from({ length: 8 }, () => 0));
    expect(row.slice(16)).toEqual(Array.from({ length: 8 }, () => 1));
    for (let i = 8; i < 16; i++) expect(row[i]).toBeCloseTo((i - 7.5) / 8, 6);
  });

  it("have the same layout in pixels", () => {
    expect(scaleLayout({ height: 12, width: 20, rows: [0, 4], columns: [0] }, 8)).toEqual({ height: 96, width: 160, rows: [0, 32], columns: [0] });
  });
});
