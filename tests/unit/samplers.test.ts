import { describe, expect, it } from "vitest";
import { samplerLabels, type SamplerName, samplerNames, scheduleNames } from "../../src/config/sampling.ts";
import { CancelledError } from "../../src/errors.ts";
import { createDenoiser, inputScale, type ModelOutput } from "../../src/models/samplers/denoiser.ts";
import { guide, isUnguided } from "../../src/models/samplers/guidance.ts";
import { sample, startLatents } from "../../src/models/samplers/sample.ts";
import { evaluationCount, samplerSigmas } from "../../src/models/samplers/samplers.ts";
import { lcmTimesteps, scheduleSigmas } from "../../src/models/samplers/schedules.ts";
import { sigmaTable, timestepOfSigma } from "../../src/models/samplers/sigma-table.ts";
import type { LatentState } from "../../src/models/samplers/state.ts";
// Run with k-diffusion and diffusers in float64 over the toy models below.
import fixture from "./fixtures/samplers.json" with { type: "json" };

type TrajectoryName = keyof typeof fixture.trajectories;

const epsilonModel: ModelOutput = async (input, t) => input.map((v) => 0.8 * Math.tanh(v) + 0.1 * Math.sin(t / 100));
const velocityModel: ModelOutput = async (input, t) => input.map((v) => 0.5 * Math.tanh(v) - 0.2 * Math.cos(t / 150));
const epsilon = createDenoiser(epsilonModel, "epsilon");
const velocity = createDenoiser(velocityModel, "v_prediction");
const start = Float64Array.from(fixture.n0);

function noiseSequence(): () => Float64Array {
  let calls = 0;
  return () => Float64Array.from(fixture.noise[calls++]!);
}

/** Largest difference in units of the larger of 1 and the wanted value. */
function distance(actual: ArrayLike<number>, wanted: readonly number[]): number {
  expect(actual.length).toBe(wanted.length);
  return Math.max(...wanted.map((value, i) => Math.abs(actual[i]! - value) / Math.max(1, Math.abs(value))));
}

interface Trace {
  /** The start and the state after every step, with its noise level. */
  readonly states: readonly { readonly x: LatentState; readonly sigma: number }[];
  readonly result: LatentState;
}

async function trace(sampler: SamplerName, sigmas: readonly number[], denoise = epsilon): Promise<Trace> {
  const x = startLatents(sampler, start, sigmas[0]!);
  const states: { x: LatentState; sigma: number }[] = [{ x, sigma: sigmas[0]! }];
  const result = await sample({
    sampler, sigmas, x, denoise, noise: noiseSequence(),
    onStep: (step) => void states.push({ x: step.x, sigma: step.sigma }),
  });
  return { states, result };
}

describe("noise levels", () => {
  it("are those of Stable Diffusion's training", () => {
    for (const [t, value] of Object.entries(fixture.alphas_cumprod)) {
      expect(sigmaTable.alphasCumprod[Number(t)]).toBeCloseTo(value, 13);
    }
    for (const [t, value] of Object.entries(fixture.sigmas_table)) {
      expect(distance([sigmaTable.sigmas[Number(t)]!], [value])).toBeLessThan(1e-12);
    }
  });

  it("have a fractional timestep between table entries", () => {
    for (const [sigma, t] of Object.entries(fixture.sigma_to_t)) {
      expect(distance([timestepOfSigma(Number(sigma))], [t])).toBeLessThan(1e-11);
    }
    expect(timestepOfSigma(1e-9)).toBe(0);
    expect(timestepOfSigma(1e9)).toBe(999);
    expect(sigmaTable.sigmas.every((sigma, t) => Math.abs(timestepOfSigma(sigma) - t) < 1e-9)).toBe(true);
  });

  it("are spaced as the webui does, for every schedule of the fixture", () => {
    for (const [name, wanted] of Object.entries(fixture.schedules_n8)) {
      // torch spaces these in float32.
      const tolerance = ["uniform", "karras", "exponential"].includes(name) ? 5e-7 : 1e-12;
      const sigmas = scheduleSigmas(name as keyof typeof fixture.schedules_n8, 8);
      expect(distance(sigmas, wanted), `schedule ${name}`).toBeLessThan(tolerance);
    }
  });

  it("fall strictly, from finite to zero, for any number of steps", () => {
    for (const name of scheduleNames) {
      for (const steps of [1, 2, 3, 7, 20, 30, 150, 333, 999, 1000]) {
        const sigmas = scheduleSigmas(name, steps);
        expect(sigmas.every((sigma, i) => i === 0 || sigma < sigmas[i - 1]!), `${name} ${steps}`).toBe(true);
        expect(sigmas.at(-1)).toBe(0);
        expect(sigmas[0]!).toBeLessThan(14.615);
      }
    }
  });

  it("follow the webui where DDIM's stride does not divide 1000", () => {
    expect(samplerSigmas("ddim", 30)).toHaveLength(32);
    expect(samplerSigmas("ddim", 20)).toHaveLength(21);
  });

  it("refuse a number of steps that can't be", () => {
    for (const steps of [0, -1, 1.5, 1001, Number.NaN]) {
      expect(() => scheduleSigmas("karras", steps)).toThrow(expect.objectContaining({ code: "sampling.steps" }));
    }
    expect(() => samplerSigmas("lcm", 51)).toThrow(expect.objectContaining({ code: "sampling.steps" }));
  });

  it("are picked per sampler on Automatic", () => {
    expect(samplerSigmas("dpmpp_2m", 8)).toEqual(scheduleSigmas("karras", 8));
    expect(samplerSigmas("dpmpp_sde", 8)).toEqual(scheduleSigmas("karras", 8));
    expect(samplerSigmas("dpmpp_2m_sde", 8)).toEqual(scheduleSigmas("exponential", 8));
    for (const name of ["euler", "euler_a", "heun"] as const) {
      expect(samplerSigmas(name, 8)).toEqual(scheduleSigmas("uniform", 8));
    }
    expect(samplerSigmas("euler", 8, "simple")).toEqual(scheduleSigmas("simple", 8));
  });
});

describe("trajectories equal those of k-diffusion", () => {
  const { karras, uniform } = fixture.schedules_n8;
  const cases: [TrajectoryName, SamplerName, readonly number[], typeof epsilon][] = [
    ["euler_karras", "euler", karras, epsilon],
    ["euler_karras_vpred", "euler", karras, velocity],
    ["euler_a_uniform", "euler_a", uniform, epsilon],
    ["heun_karras", "heun", karras, epsilon],
    ["dpmpp_2m_karras", "dpmpp_2m", karras, epsilon],
    ["dpmpp_sde_karras", "dpmpp_sde", karras, epsilon],
    ["dpmpp_2m_sde_karras_midpoint", "dpmpp_2m_sde", karras, epsilon],
  ];

  it.each(cases)("%s", async (name, sampler, sigmas, denoise) => {
    const wanted = fixture.trajectories[name];
    const { states, result } = await trace(sampler, sigmas, denoise);
    for (const [i, x] of wanted.x_per_step.entries()) expect(distance(states[i]!.x, x), `step ${i}`).toBeLessThan(1e-11);
    expect(distance(result, wanted.final)).toBeLessThan(1e-11);
  });
});

describe("trajectories equal those of diffusers", () => {
  /** diffusers keeps x at the scale of training, √ᾱ·x0 + √(1−ᾱ)·ε. */
  async function expectTrained(
    name: TrajectoryName, sampler: SamplerName, steps: number, denoise: typeof epsilon, tolerance = 1e-11,
  ): Promise<void> {
    const wanted = fixture.trajectories[name];
    const { states, result } = await trace(sampler, samplerSigmas(sampler, steps), denoise);
    for (const [i, wantedX] of wanted.x_per_step.entries()) {
      const { x, sigma } = states[i]!;
      expect(distance(x.map((value) => value * inputScale(sigma)), wantedX), `step ${i}`).toBeLessThan(tolerance);
    }
    expect(distance(result, wanted.final)).toBeLessThan(tolerance);
  }

  it("DDIM, ε", () => expectTrained("ddim_leading_offset1_epsilon", "ddim", 8, epsilon));
  it("DDIM, v", () => expectTrained("ddim_leading_offset1_v_prediction", "ddim", 8, velocity));
  it("LCM", async () => {
    expect(lcmTimesteps(4)).toEqual(fixture.trajectories.lcm_4.timesteps);
    // diffusers has its boundary factors in float32: 1 where we have 1 − 1e-9.
    await expectTrained("lcm_4", "lcm", 4, epsilon, 1e-7);
  });
});

describe("a run", () => {
  const x = Float32Array.from(fixture.n0);
  const sigmas = samplerSigmas("euler", 8);

  it.each(samplerNames)("of %s evaluates the model as often as forecast, and leaves its start alone", async (sampler) => {
    let evaluations = 0;
    const before = x.slice();
    const levels = samplerSigmas(sampler, 6);
    const result = await sample({
      sampler, sigmas: levels, x, noise: noiseSequence(),
      denoise: (at, sigma) => ((evaluations += 1), epsilon(at, sigma)),
    });
    expect(evaluations).toBe(evaluationCount(sampler, levels));
    expect(x).toEqual(before);
    expect(result).toBeInstanceOf(Float32Array);
  });

  it.each(samplerNames)("of %s on a model that knows the picture ends at the picture", async (sampler) => {
    const picture = Float64Array.of(0.3, -0.7, 1.1, 0);
    const levels = samplerSigmas(sampler, 10);
    const { result } = await trace(sampler, levels, async () => picture);
    // DDIM ends at the lowest level of training, with that little noise left; LCM keeps a trace of x.
    const tolerance = { ddim: 0.1, lcm: 1e-6 }[sampler as string] ?? 1e-12;
    expect(distance(result, [...picture])).toBeLessThan(tolerance);
  });

  it("without noise of its own follows from the start; with it, from the start and the noise", async () => {
    const silent = () => {
      throw new Error("asked for noise");
    };
    for (const sampler of ["euler", "heun", "dpmpp_2m", "ddim"] as const) {
      await sample({ sampler, sigmas: samplerSigmas(sampler, 4), x, denoise: epsilon, noise: silent });
    }
    for (const sampler of ["euler_a", "dpmpp_sde", "dpmpp_2m_sde", "lcm"] as const) {
      expect((await trace(sampler, samplerSigmas(sampler, 4))).result)
        .toEqual((await trace(sampler, samplerSigmas(sampler, 4))).result);
      expect(samplerLabels[sampler]).not.toBe("");
    }
  });

  it("with η 0 is Euler for Euler a, and DPM++ 2M's first order for its first step of SDE", async () => {
    const common = { sigmas, x, denoise: epsilon, noise: noiseSequence() };
    expect(await sample({ ...common, sampler: "euler_a", eta: 0 })).toEqual(await sample({ ...common, sampler: "euler" }));
    const short = { ...common, sigmas: sigmas.slice(0, 2) };
    const first = await sample({ ...short, sampler: "dpmpp_2m_sde", eta: 0 });
    expect(distance(first, [...(await sample({ ...short, sampler: "dpmpp_2m" }))])).toBeLessThan(1e-6);
  });

  it("reports each step with the estimate of the picture", async () => {
    const seen: number[] = [];
    await sample({
      sampler: "euler", sigmas, x, denoise: async () => new Float32Array([1, 2, 3, 4]), noise: noiseSequence(),
      onStep: ({ step, steps, denoised }) => {
        expect(steps).toBe(8);
        expect([...denoised]).toEqual([1, 2, 3, 4]);
        seen.push(step);
      },
    });
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("stops before the next evaluation once it is cancelled", async () => {
    const controller = new AbortController();
    let evaluations = 0;
    const run = sample({
      sampler: "heun", sigmas, x, noise: noiseSequence(), signal: controller.signal,
      denoise: (at, sigma) => {
        if (++evaluations === 4) controller.abort();
        return epsilon(at, sigma);
      },
    });
    await expect(run).rejects.toBeInstanceOf(CancelledError);
    expect(evaluations).toBe(4);
  });

  it("names the step at which the model breaks", async () => {
    const denoise = async (at: LatentState, sigma: number) => at.map((value) => (sigma < 3 ? Number.NaN : value));
    await expect(sample({ sampler: "euler", sigmas, x, denoise, noise: noiseSequence() }))
      .rejects.toMatchObject({ code: "sampling.not-finite", data: { step: 4, steps: 8 } });
  });

  it("starts from a picture with noise on it, or from noise at the sampler's own scale", () => {
    const noise = Float64Array.of(1, -2);
    expect([...startLatents("euler", noise, 3)]).toEqual([3, -6]);
    expect(distance(startLatents("ddim", noise, 3), [Math.sqrt(10), -2 * Math.sqrt(10)])).toBeLessThan(1e-15);
    expect([...startLatents("euler", noise, 3, Float64Array.of(10, 20))]).toEqual([13, 14]);
  });
});

describe("guidance", () => {
  const negative = Float64Array.of(1, 2);
  const cat = Float64Array.of(3, 1);
  const dog = Float64Array.of(-1, 4);

  it("moves from the negative prompt past the prompt", () => {
    expect([...guide(negative, [{ denoised: cat, weight: 1 }], 7)]).toEqual([15, -5]);
  });

  it("adds up the parts of a prompt by their weights", () => {
    const parts = [{ denoised: cat, weight: 1 }, { denoised: dog, weight: -0.5 }];
    // 1 + 2·(2) − 1·(−2), 2 + 2·(−1) − 1·(2)
    expect([...guide(negative, parts, 2)]).toEqual([7, -2]);
  });

  it("at 1 is the prompt alone, and says that the negative one is not needed", () => {
    expect([...guide(negative, [{ denoised: cat, weight: 1 }], 1)]).toEqual([3, 1]);
    expect(isUnguided([{ weight: 1 }], 1)).toBe(true);
    expect(isUnguided([{ weight: 1 }], 1.5)).toBe(false);
    expect(isUnguided([{ weight: 1 }, { weight: -0.5 }], 1)).toBe(false);
  });
});
