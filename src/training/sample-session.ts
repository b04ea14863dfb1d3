/** Makes a run's samples: when they are due or asked for, one picture after the other, from the model as it is then. */
import { CancelledError } from "../errors.ts";
import { DeviceLostError } from "../gpu/errors.ts";
import { decodeLatents } from "../generation/decode-latents.ts";
import { describePicture } from "../generation/picture-text.ts";
import { toRgba } from "../generation/picture.ts";
import { sampleRequest } from "../generation/sample-request.ts";
import { names, requireDecoder } from "../models/forward-graphs.ts";
import { implementation } from "../version.ts";
import { stepName } from "./save-schedule.ts";
import { sampleFailure, sampleNotes } from "./sample-log.ts";
import { isSampleDue, momentOf, type SampleMoment } from "./sample-schedule.ts";
import { encodeSampleTexts, type EncodeIds } from "./sample-texts.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { GenerationRequest } from "../generation/request.ts";
import type { ProgramRunner } from "../models/forward-runner.ts";
import type { PredictionType } from "../models/checkpoint-types.ts";
import type { SampleObserver, SamplePicture, Verdict } from "./events.ts";
import type { PlannedSample, SamplePlan } from "./sample-plan.ts";
import type { RunOrigin, RunState } from "./state-file.ts";
import type { StepEngine } from "./step-engine.ts";
import type { StepPlan } from "./steps.ts";

export interface SampleSessionOptions {
  readonly engine: StepEngine;
  readonly plan: SamplePlan;
  readonly config: TrainingConfig;
  readonly model: RunOrigin["model"];
  readonly steps: StepPlan;
  /** Of the run. Prompts without a seed get one of it, the same each time. */
  readonly seed: number;
  /** What prompts are to the UNet where the text encoder is not trained; otherwise it runs with its adapter. */
  readonly encode: EncodeIds | undefined;
  /** The state after that many updates, which is the present one. */
  readonly snapshot: (step: number) => Promise<RunState>;
}

export class SampleSession {
  readonly #options: SampleSessionOptions;
  readonly #host: SampleObserver;
  #drawnStep: number | undefined;

  constructor(options: SampleSessionOptions, host: SampleObserver) {
    this.#options = options;
    this.#host = host;
    for (const note of sampleNotes(options.plan)) host.log(note);
  }

  /** Makes the samples that the settings want after this step, if any. */
  async drawDue(step: number): Promise<Verdict> {
    return isSampleDue(this.#options.config, this.#options.steps, step) ? this.draw(step) : "continue";
  }

  /**
   * Makes all samples of this step, unless they were made already. Trouble is logged and ends no run.
   * @returns "stop" where the host wants no more
   * @throws DeviceLostError
   */
  async draw(step: number): Promise<Verdict> {
    const { engine, plan, steps } = this.#options;
    if (this.#drawnStep === step || plan.samples.length === 0) return "continue";
    const moment = momentOf(steps, step);
    const prompts = plan.samples.map(({ index, prompt }) => ({ index, prompt: prompt.prompt }));
    this.#host.sampling?.({ kind: "begin", ...moment, prompts });
    let verdict: Verdict = "continue";
    try {
      verdict = await engine.withSamples((runner) => this.#drawAll(runner, moment));
      this.#drawnStep = step;
    } catch (error) {
      if (error instanceof DeviceLostError) throw error;
      this.#host.log(sampleFailure(step, undefined, error));
    } finally {
      this.#host.sampling?.({ kind: "end", ...moment });
    }
    return verdict;
  }

  async #drawAll(runner: ProgramRunner, moment: SampleMoment): Promise<Verdict> {
    const { engine, plan, encode } = this.#options;
    const { vocab } = engine.plan.options.checkpoint.textEncoder;
    const contexts = await encodeSampleTexts(plan, vocab, (text) => encode ?? ((ids) => runner.run(text, { [names.ids]: ids })));
    for (const sample of plan.samples) {
      try {
        const picture = await this.#drawOne(runner, sample, moment, contexts);
        await this.#host.sample?.(picture);
      } catch (error) {
        if (error instanceof DeviceLostError) throw error;
        if (error instanceof CancelledError) return "stop";
        this.#host.log(sampleFailure(moment.step, sample, error));
      }
    }
    return "continue";
  }

  /** @throws CancelledError where the host wants no more */
  async #drawOne(
    runner: ProgramRunner, { index, prompt, plan }: PlannedSample, moment: SampleMoment, contexts: ReadonlyMap<string, Float32Array>,
  ): Promise<SamplePicture> {
    const started = performance.now();
    const { engine, config, seed, snapshot } = this.#options;
    const { checkpoint } = engine.plan.options;
    const request = { ...plan.request, seed: prompt.seed ?? seed + index };
    const seeded = { ...plan, request };
    const predictionType: PredictionType = config.v_parameterization ? "v_prediction" : "epsilon";
    const latents = await sampleRequest(runner, { unet: checkpoint.unet, predictionType }, seeded, contexts, {
      onStep: async ({ step: done, steps: total }) => {
        const event = { kind: "progress", ...moment, index, done, total } as const;
        const verdict = await this.#host.sampling?.(event, () => snapshot(moment.step));
        if (verdict === "stop") throw new CancelledError();
      },
    });
    const { scaleFactor } = requireDecoder(checkpoint);
    const rgb = await decodeLatents(runner, seeded, latents.map((value) => value / scaleFactor));
    const { width, height } = request;
    return {
      ...moment,
      index,
      prompt: prompt.prompt,
      seed: request.seed,
      hasOwnSeed: prompt.seed !== undefined,
      width,
      height,
      rgba: toRgba(rgb),
      infotext: this.#describe(request, moment),
      milliseconds: performance.now() - started,
    };
  }

  /** Names the LoRA as sd-scripts names the file of this step. */
  #describe(request: GenerationRequest, { step }: SampleMoment): string {
    const { config, model } = this.#options;
    // A textual inversion acts by its word in the prompt, a trained model by itself.
    const adapters = step === 0 || config.training_kind !== "lora" ? [] : [{ name: stepName(config.output_name, step), unet: 1, textEncoder: 1 }];
    const origin = { model: model ?? { name: "" }, adapterHashes: new Map<string, string>(), program: implementation };
    const { width, height } = request;
    return describePicture({ request, adapters, width, height, milliseconds: 0 }, origin);
  }
}
