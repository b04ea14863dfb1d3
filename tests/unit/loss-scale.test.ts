/** The loss scale against PyTorch's GradScaler (tests/reference/make_half_replays.py). */
import { describe, expect, it } from "vitest";
import { readFile } from "node:fs/promises";
import { LossScale, lossScaleOf } from "../../src/training/loss-scale.ts";

interface Expected {
  readonly updates: number;
  readonly overflows: readonly number[];
  /** Update and the scale behind it, where it changes. */
  readonly scales: readonly (readonly [number, number])[];
}

describe("LossScale", () => {
  it("halves and doubles where PyTorch's does, also when it is taken up from its state", async () => {
    const text = await readFile(new URL("../reference/data/loss-scale.json", import.meta.url), "utf8");
    const expected = JSON.parse(text) as Expected;
    let scale = new LossScale();
    const scales: [number, number][] = [];
    for (let update = 0; update < expected.updates; update++) {
      const before = scale.state.scale;
      const isOverflow = expected.overflows.includes(update);
      if (isOverflow) scale.backOff();
      else scale.grow();
      if (scale.state.scale !== before) scales.push([update, scale.state.scale]);
      if (update % 997 === 0) scale = new LossScale(scale.state);
    }
    expect(scales).toEqual(expected.scales);
    expect(scale.state.skipped).toBe(expected.overflows.length);
  });

  it("gives up where a smaller scale can't be the answer", () => {
    const scale = new LossScale();
    let halvings = 0;
    while (scale.backOff()) halvings++;
    expect(halvings).toBe(26);
  });

  it("is there for fp16 alone", () => {
    expect(lossScaleOf({ mixed_precision: "no" })).toBeUndefined();
    expect(lossScaleOf({ mixed_precision: "bf16" })).toBeUndefined();
    expect(lossScaleOf({ mixed_precision: "fp16" })?.state.scale).toBe(65536);
  });
});
