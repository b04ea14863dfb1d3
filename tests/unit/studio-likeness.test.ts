import { expect, test } from "vitest";
import { decodeNodeImage } from "../../src/cli/node-images.ts";
import { LikenessIndex, distance, likenessOf, nearDistance, nearDuplicateGroups } from "../../src/studio/likeness.ts";
import fixture from "./fixtures/likeness.json" with { type: "json" };

test.each(fixture)("the likeness of a picture is NumPy's: $name", async ({ name, png, likeness }) => {
  expect(likenessOf(await decodeNodeImage(Buffer.from(png, "base64"), name))).toBe(likeness);
});

test("a smaller copy of a picture is near it, other pictures are not", () => {
  const of = (name: string): string => fixture.find((row) => row.name === name)!.likeness;
  expect(distance(of("blobs"), of("blobs, smaller"))).toBeLessThanOrEqual(nearDistance);
  expect(distance(of("blobs"), of("noise"))).toBeGreaterThan(16);
  expect(distance("0000000000000000", "ffffffffffffffff")).toBe(64);
  expect(distance("8000000000000001", "0000000000000000")).toBe(2);
});

/** Numbers from 0 to 1 (mulberry32). */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

const randomLikeness = (roll: () => number): string =>
  Array.from({ length: 16 }, () => Math.floor(roll() * 16).toString(16)).join("");

function flip(likeness: string, bits: readonly number[]): string {
  const digits = [...likeness].map((digit) => Number.parseInt(digit, 16));
  for (const bit of bits) digits[bit >> 2] = digits[bit >> 2]! ^ (1 << (bit & 3));
  return digits.map((digit) => digit.toString(16)).join("");
}

test("every pair of alike pictures is found, and no other", () => {
  const roll = dice(1);
  const rows = Array.from({ length: 300 }, () => randomLikeness(roll));
  for (let i = 0; i < 300; i++) {
    const bits = Array.from({ length: i % 7 }, () => Math.floor(roll() * 64));
    rows.push(flip(rows[i]!, bits));
  }
  const index = new LikenessIndex<number>();
  for (const [at, row] of rows.entries()) index.add(row, at);
  for (const [at, row] of rows.entries()) {
    const expected = rows.flatMap((other, i) => (distance(row, other) <= nearDistance ? [i] : []));
    const found = index.near(row);
    expect({ at, found: found.map(({ item }) => item).sort((a, b) => a - b) }).toEqual({ at, found: expected });
    expect(found[0]?.distance).toBe(0);
  }
});

test("pictures that look alike through others are one group", () => {
  const a = "0123456789abcdef";
  const rows = [a, flip(a, [0, 1, 2]), flip(a, [0, 1, 2, 60, 61, 62]), "ffffffff00000000", a].map((likeness, id) => ({ id, likeness }));
  expect(nearDuplicateGroups(rows).map((group) => group.map(({ id }) => id).sort())).toEqual([[0, 1, 2, 4]]);
});

test("ten thousand pictures are grouped within a second, a thousand flat ones among them", () => {
  const roll = dice(2);
  const rows = Array.from({ length: 10_000 }, (_, id) => ({ id, likeness: id % 10 === 0 ? "0".repeat(16) : randomLikeness(roll) }));
  const begin = performance.now();
  const groups = nearDuplicateGroups(rows);
  expect(performance.now() - begin).toBeLessThan(1000);
  expect(groups[0]).toHaveLength(1000);
});
