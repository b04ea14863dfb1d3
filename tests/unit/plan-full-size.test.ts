/** The forecast for real Stable Diffusion sizes: what the product promises before a run starts. */
import { beforeAll, describe, expect, it } from "vitest";
import { defaultConfig, type TrainingConfig } from "../../src/config/parameters.ts";
import { portableTier } from "../../src/gpu/tier.ts";
import { forecast, type RunForecast } from "../../src/training/forecast.ts";
import { planVae } from "../../src/training/latent-cache.ts";
import { planText } from "../../src/training/text-cache.ts";
import { planRun } from "../../src/training/run-settings.ts";
import { headerOnlyCheckpoint } from "./harness/header-only.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";

const GiB = 2 ** 30;
const MiB = 2 ** 20;
const base: TrainingConfig = { ...defaultConfig(), network_dim: 16, network_alpha: 16, learning_rate: 1e-4 };

function plan(checkpoint: Checkpoint, config: TrainingConfig, side: number, batch = 1): RunForecast {
  const run = planRun(checkpoint, config, [{ batch, height: side / 8, width: side / 8 }], portableTier);
  const vae = planVae(checkpoint, [[side, side]], portableTier);
  return forecast(run, { vae, ...(config.network_train_unet_only && { text: planText(checkpoint, 1, portableTier) }) });
}

let sd15: Checkpoint;
beforeAll(async () => {
  sd15 = await headerOnlyCheckpoint("sd15");
});

describe("SD1.5 at 512x512, batch 1, rank 16, default limits", () => {
  it("trains UNet and text encoder with checkpointing within 2.5 GiB and 2,500 dispatches", () => {
    const result = plan(sd15, { ...base, gradient_checkpointing: true }, 512);
    report("UNet+TE checkpointed", result);
    expect(result.peakBytes).toBeLessThanOrEqual(2.5 * GiB);
    expect(result.dispatches).toBeLessThanOrEqual(2500);
  });

  it("trains the UNet without checkpointing within 3.2 GiB and 2,500 dispatches", () => {
    const result = plan(sd15, { ...base, network_train_unet_only: true }, 512);
    report("UNet", result);
    expect(result.peakBytes).toBeLessThanOrEqual(3.2 * GiB);
    expect(result.dispatches).toBeLessThanOrEqual(2500);
    expect(result.weightsBytes / MiB).toBeGreaterThan(1636);
    expect(result.weightsBytes / MiB).toBeLessThan(1650);
    // Two bytes of performance.md's minimal saved set are four here: 485 MiB in f16.
    expect(result.savedActivationBytes / MiB).toBeLessThanOrEqual(2 * 485 * 1.02);
    expect(result.largestBindingBytes).toBeLessThanOrEqual(128 * MiB);
    expect(result.flops / 1e12).toBeGreaterThan(1.8);
    expect(result.flops / 1e12).toBeLessThan(2.05);
  });

  it("keeps half as much for the backward with mixed_precision, in the same dispatches and about half the workspace", () => {
    const config: TrainingConfig = { ...base, network_train_unet_only: true };
    const full = plan(sd15, config, 512);
    for (const mixed_precision of ["fp16", "bf16"] as const) {
      const half = plan(sd15, { ...config, mixed_precision }, 512);
      report(`UNet ${mixed_precision}`, half);
      // Statistics and the adapters' rank-wide values stay f32.
      expect(half.savedActivationBytes / full.savedActivationBytes).toBeGreaterThan(0.5);
      expect(half.savedActivationBytes / full.savedActivationBytes).toBeLessThan(0.52);
      expect(half.peakBytes).toBeLessThan(2.3 * GiB);
      expect(half.dispatches).toBe(full.dispatches);
      expect(half.weightsBytes).toBe(full.weightsBytes);
    }
  });

  it("binds batches of 4 with fp16 on default limits, which f32 does not", () => {
    const config: TrainingConfig = { ...base, network_train_unet_only: true, gradient_checkpointing: true };
    expect(() => plan(sd15, config, 512, 4)).toThrow("one binding");
    const half = plan(sd15, { ...config, mixed_precision: "fp16" }, 512, 4);
    expect(half.largestBindingBytes).toBe(80 * MiB);
    expect(half.peakBytes).toBeLessThan(2.4 * GiB);
  });

  it("trains a LoCon in factored form: no binding grows, and the update has the reference's number of weights", () => {
    const config = { ...base, network_train_unet_only: true, gradient_checkpointing: true };
    const lora = plan(sd15, config, 512);
    const locon = plan(sd15, { ...config, conv_dim: 8 }, 512);
    report("UNet LoCon checkpointed", locon);
    const bytesOf = ({ parts }: RunForecast): number => parts.find(({ key }) => key === "adapters")!.bytes;
    // 82,880 weights per network_dim and 544,000 per conv_dim more, and room between tensors.
    const added = (bytesOf(locon) - bytesOf(lora)) / 4;
    const exact = 16 * 82_880 + 8 * 544_000;
    expect(added / exact).toBeGreaterThanOrEqual(1);
    expect(added / exact).toBeLessThan(1.01);
    expect(locon.largestBindingBytes).toBe(lora.largestBindingBytes);
    expect(locon.peakBytes).toBeLessThan(lora.peakBytes * 1.15);
  });

  it("trains a LoHa of every layer with the weights of one layer at a time, on default limits", () => {
    const config = { ...base, gradient_checkpointing: true };
    const lora = plan(sd15, config, 512);
    const loha = plan(sd15, { ...config, network_module: "lycoris.kohya", algo: "loha", network_dim: 8 }, 512);
    report("UNet+TE LoHa checkpointed", loha);
    // up_blocks.0.resnets.0.conv1 is the largest weight: [1280, 2560, 3, 3] in f32.
    expect(loha.largestBindingBytes).toBeLessThanOrEqual(128 * MiB);
    expect(loha.peakBytes - lora.peakBytes).toBeLessThan(6 * 1280 * 2560 * 9 * 4);
  });
});

describe("SD1.5 as a whole at 512x512, batch 1, default limits", () => {
  const whole: TrainingConfig = { ...base, training_kind: "full", gradient_checkpointing: true };

  it("takes four numbers for each weight with AdamW, half of that beside weights and gradients with AdamW8bit", () => {
    const config: TrainingConfig = { ...whole, stop_text_encoder_training: -1 };
    const [adamw, eightBit] = [plan(sd15, config, 512), plan(sd15, { ...config, optimizer_type: "AdamW8bit" }, 512)];
    report("UNet as a whole, AdamW", adamw);
    report("UNet as a whole, AdamW8bit", eightBit);
    const bytesOf = ({ parts }: RunForecast, part: string): number => parts.find(({ key }) => key === part)!.bytes;
    // The UNet's 859,520,964 weights, and room between tensors.
    const exact = 859_520_964 * 4;
    for (const result of [adamw, eightBit]) {
      for (const part of ["adapters", "gradients"]) {
        expect(bytesOf(result, part) / exact).toBeGreaterThanOrEqual(1);
        expect(bytesOf(result, part) / exact).toBeLessThan(1.001);
      }
      expect(result.largestBindingBytes).toBeLessThanOrEqual(128 * MiB);
      expect(result.weightsBytes).toBe(0);
    }
    expect(bytesOf(adamw, "optimizer") / (2 * exact)).toBeLessThan(1.001);
    expect(bytesOf(eightBit, "optimizer") / (2 * exact)).toBeLessThan(0.28);
    expect(eightBit.peakBytes).toBeLessThan(8.6 * GiB);
  });

  it("cuts the text encoder's table of tokens, which is larger than a binding, at the end of a block of 8-bit state", () => {
    const run = planRun(sd15, whole, [{ batch: 1, height: 64, width: 64 }], portableTier);
    report("UNet and text encoder as a whole, AdamW", forecast(run, {}));
    const table = run.options.model!.tensors.filter(({ key }) => key.endsWith("token_embedding.weight"));
    expect(table.map(({ firstRow, shape }) => [firstRow, shape])).toEqual([[0, [24704, 768]], [24704, [24704, 768]]]);
    expect((24704 * 768) % 2048).toBe(0);
    const numbers = run.options.model!.tensors.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(numbers).toBe(859_520_964 + 123_060_480);
    expect(() => planRun(sd15, { ...whole, optimizer_type: "Adafactor" }, [{ batch: 1, height: 64, width: 64 }], portableTier)).toThrow("table of tokens");
  });
});

function report(label: string, { parts, phases, ...rest }: RunForecast): void {
  const mib = (bytes: number): string => `${(bytes / MiB).toFixed(0)} MiB`;
  console.log(label, parts.map((part) => `${part.key} ${mib(part.bytes)}`).join(", "));
  console.log(phases.map((p) => `${p.phase} ${mib(p.peakBytes)}`).join(", "), "dispatches", rest.dispatches, "TFLOP", rest.flops / 1e12, "slack", mib(rest.arenaSlackBytes));
  console.log(rest.byOp.map((o) => `${o.op} ${o.dispatches} ${(o.flops / 1e9).toFixed(1)}`).join("; "));
}
