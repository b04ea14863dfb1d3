import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkpointShapes, recipes } from "../../src/models/layout.ts";

const real = JSON.parse(readFileSync(new URL("fixtures/ldm-key-shapes.json", import.meta.url), "utf8")) as Record<
  "sd1" | "sd2",
  Record<string, number[]>
>;

test.each([
  ["sd15", "sd1"],
  ["sd21", "sd2"],
] as const)("the made layout %s has exactly the keys and shapes of real files", (arch, family) => {
  expect(Object.fromEntries(checkpointShapes(recipes[arch]))).toEqual(real[family]);
});
