import { describe, expect, it } from "vitest";
import { LossHistory } from "../../src/ui/charts/loss-history.ts";
import { Pace } from "../../src/ui/state/pace.ts";

describe("LossHistory", () => {
  it("smooths with an exponential average that starts at the first loss", () => {
    const history = new LossHistory(0.5);
    for (const [i, loss] of [4, 0, 2].entries()) history.append(i + 1, loss);
    expect(history.columns).toEqual([[1, 2, 3], [4, 0, 2], [4, 2, 2]]);
  });

  it("smooths again from the start when the smoothing changes", () => {
    const history = new LossHistory(0.9);
    for (const [i, loss] of [4, 0, 2].entries()) history.append(i + 1, loss);
    history.smoothing = 0;
    expect(history.columns[2]).toEqual([4, 0, 2]);
  });

  it("forgets what came after the step that a run went back to, and goes on from there", () => {
    const history = new LossHistory(0.5);
    for (const step of [1, 2, 3, 4]) history.append(step, step);
    history.cut(2);
    history.append(3, 30);
    expect(history.columns[0]).toEqual([1, 2, 3]);
    expect(history.columns[1]).toEqual([1, 2, 30]);
  });

  it("keeps the whole course of a long run at a coarser resolution", () => {
    const history = new LossHistory(0);
    for (let step = 1; step <= 50_000; step += 1) history.append(step, step % 2);
    const [steps, losses] = history.columns;
    expect(steps.length).toBeLessThan(8192);
    expect(steps[0]).toBeLessThan(20);
    expect(steps.at(-1)).toBeGreaterThan(49_980);
    expect(losses.every((loss) => loss === 0.5)).toBe(true);
    expect(steps.every((step, i) => i === 0 || step > steps[i - 1]!)).toBe(true);
  });

  it("tells the direction of the smoothed loss once there is enough of it", () => {
    const history = new LossHistory(0);
    expect(history.trend()).toBeUndefined();
    history.append(1, 8);
    expect(history.trend()).toEqual({ step: 1, smoothed: 8 });
    for (let step = 2; step <= 401; step += 1) history.append(step, step <= 201 ? 8 : 4);
    expect(history.trend()).toEqual({ step: 401, smoothed: 4, change: -0.5, overSteps: 200 });
  });

  it("changes its version with every change of the data", () => {
    const history = new LossHistory(0.5);
    const versions = [history.version];
    history.append(1, 1);
    versions.push(history.version);
    history.smoothing = 0.1;
    versions.push(history.version);
    history.cut(0);
    versions.push(history.version);
    expect(new Set(versions).size).toBe(4);
  });
});

describe("Pace", () => {
  it("is the median, so that one long pause does not move it", () => {
    const pace = new Pace();
    for (const ms of [100, 110, 60_000, 90, 105]) pace.add(ms);
    expect(pace.stepMs).toBe(105);
  });

  it("follows a lasting change", () => {
    const pace = new Pace();
    for (let i = 0; i < 100; i += 1) pace.add(100);
    for (let i = 0; i < 50; i += 1) pace.add(300);
    expect(pace.stepMs).toBe(300);
  });

  it("says nothing after a single step", () => {
    const pace = new Pace();
    pace.add(9000);
    expect(pace.stepMs).toBeUndefined();
  });
});
