import { describe, expect, test } from "vitest";
import { withRecovery } from "../../src/cli/recovery.ts";
import { DeviceLostError } from "../../src/gpu/errors.ts";

/** A run of 10 steps that keeps a state every second step and loses its device after the given steps, once each. */
function fragileRun(lostAfter: readonly number[]) {
  const losses = [...lostAfter];
  let kept: number | undefined;
  const starts: (number | undefined)[] = [];
  return {
    starts,
    latest: () => kept,
    onLost() {},
    async attempt(from: number | undefined): Promise<number> {
      starts.push(from);
      for (let step = (from ?? 0) + 1; step <= 10; step++) {
        if (losses[0] === step) {
          losses.shift();
          throw new DeviceLostError("test");
        }
        if (step % 2 === 0) kept = step;
      }
      return 10;
    },
  };
}

describe("withRecovery", () => {
  test("goes on from the newest kept state after every loss that came with progress", async () => {
    const run = fragileRun([4, 7, 9, 10]);
    expect(await withRecovery(run)).toBe(10);
    expect(run.starts).toEqual([undefined, 2, 6, 8, 8]);
  });

  test("starts again where nothing was kept, from the state that was given", async () => {
    const run = fragileRun([4]);
    expect(await withRecovery({ ...run, latest: () => undefined }, 3)).toBe(10);
    expect(run.starts).toEqual([3, 3]);
  });

  test("gives up at the third loss in a row without progress between", async () => {
    const run = fragileRun([5, 5, 5, 5]);
    await expect(withRecovery(run)).rejects.toThrow(DeviceLostError);
    expect(run.starts).toEqual([undefined, 4, 4]);
  });

  test("leaves other errors alone", async () => {
    const attempt = () => Promise.reject(new TypeError("ours"));
    await expect(withRecovery({ attempt, latest: () => 1, onLost() {} })).rejects.toThrow("ours");
  });
});
