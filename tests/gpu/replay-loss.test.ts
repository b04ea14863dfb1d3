/**
 * Whole updates with each kind of loss, input noise and moving rates, against PyTorch (tests/reference/make_loss_replays.py).
 * A wrong scheduler moves the gradient norms by 1e-3 and more, a wrong schedule of noise or c by 1e-2 and more.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { replay } from "../../src/training/replay.ts";
import { openMini, openReference } from "./harness/reference-data.ts";
import { isSlowAdapter, openTestGpu } from "./harness/adapter.ts";
import type { Gpu } from "../../src/gpu/device.ts";

interface Expected {
  readonly losses: readonly number[];
  readonly grad_norms: readonly number[];
}

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => gpu.destroy());

const traces = ["sd1-huber-input-noise", "sd1-l1-like-v-both", "sd2-v-smooth-l1-zero-terminal"];

/** SwiftShader takes ten seconds and more for each: there one with v-prediction is enough. */
const onSlowAdapters = ["sd2-v-smooth-l1-zero-terminal"];

describe.each(traces)("%s", (name) => {
  it.skipIf(isSlowAdapter && !onSlowAdapters.includes(name))("follows PyTorch's losses and gradient norms", async () => {
    const trace = await openReference(`replay-loss/${name}.safetensors`);
    const expected = JSON.parse(trace.metadata.get("expected") ?? "") as Expected;
    const { losses, gradNorms } = await replay(gpu, await openMini(name.startsWith("sd1") ? "sd1" : "sd2"), trace);
    expect(losses).toHaveLength(expected.losses.length);
    losses.forEach((loss, i) => expect(Math.abs(loss / expected.losses[i]! - 1), `loss ${i}: ${loss}`).toBeLessThan(1e-5));
    expect(gradNorms).toHaveLength(expected.grad_norms.length);
    gradNorms.forEach((norm, i) => {
      expect(Math.abs(norm / expected.grad_norms[i]! - 1), `norm ${i}: ${norm}`).toBeLessThan(5e-5);
    });
  });
});

it("refuses a trace without the noise of the input where that is perturbed", async () => {
  const trace = await openReference("replay-loss/sd1-l1-like-v-both.safetensors");
  const running = replay(gpu, await openMini("sd1"), trace, { overrides: { ip_noise_gamma: 0.1 } });
  await expect(running).rejects.toThrow(/input_noise\.0/);
});
