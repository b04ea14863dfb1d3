/** The training engine on this browser's GPU. A device is held while a run goes, and no longer. */
import { noiseAdvice, rateAdvice } from "../config/advice.ts";
import { rankAdvice } from "../config/rank-advice.ts";
import { startAdvice } from "../config/start-advice.ts";
import { openGpu } from "../gpu/device.ts";
import { elementCount } from "../gpu/graph/tensor.ts";
import { forecast } from "../training/forecast.ts";
import { memoryLevers } from "../training/memory-levers.ts";
import { planVae } from "../training/latent-cache.ts";
import { randomSeed } from "../random/rng.ts";
import { resultFile, writeResult } from "../training/result.ts";
import { describeOrigin } from "../training/run-origin.ts";
import { baseMerges } from "../training/start-networks.ts";
import { planDataset } from "../training/run-plan.ts";
import { planRun } from "../training/run-settings.ts";
import { decodeState, stateFile } from "../training/state-file.ts";
import { planTextCache } from "../training/text-cache.ts";
import { train } from "../training/trainer.ts";
import { writePngText } from "../formats/png-text.ts";
import { isStreamed } from "../formats/streamed-file.ts";
import type { SamplePicture } from "../training/events.ts";
import type { Checkpoint } from "../models/config.ts";
import { adapterTier } from "./adapter-tier.ts";
import { memoryAdvice, modelAdvice } from "./plan-advice.ts";
import type { Engine } from "./engine.ts";
import { encodePng } from "./generate-sheet.ts";
import type { NewSample } from "./training-backend.ts";

const bytesPerWeight = { float: 4, fp16: 2, bf16: 2 } as const;
const seconds = (): number => Math.floor(Date.now() / 1000);

export function webgpuEngine(): Engine {
  return {
    async forecast({ config, checkpoint, plan, networks }) {
      baseMerges(checkpoint, config, networks);
      const onTier = await adapterTier();
      const run = planRun(checkpoint, config, plan.shapes, onTier, plan, networks.network);
      const { adapters, words, model } = run.options;
      const text = planTextCache(run);
      const predicted = forecast(run, {
        vae: planVae(checkpoint, plan.sizes, onTier),
        ...(text === undefined ? {} : { text }),
      });
      const factors = adapters.targets.flatMap((target) => target.factors).reduce((sum, { shape }) => sum + elementCount(shape), 0);
      const weights = words === undefined ? factors : words.count * words.width;
      const levers = memoryLevers(run);
      return {
        forecast: { ...predicted, levers },
        advice: [...rateAdvice(config), ...noiseAdvice(config), ...rankAdvice(config), ...startAdvice(config), ...modelAdvice(predicted, config), ...memoryAdvice(predicted, levers)],
        resultBytes: (model === undefined ? weights : modelElements(checkpoint)) * bytesPerWeight[config.save_precision ?? "float"],
      };
    },

    async train({ config, checkpoint, dataset, pictures, startWords, networks, resume }, host) {
      const state = resume === undefined ? undefined : await decodeState(resume);
      const facts =
        state?.facts ??
        (await describeOrigin({
          checkpoint,
          config,
          dataset,
          plan: planDataset(pictures, config),
          sessionId: randomSeed(),
          startedAt: seconds(),
        }));
      const gpu = await openGpu(navigator.gpu as GPU | undefined);
      try {
        const job = { checkpoint, config, pictures, facts, networks, ...(startWords && { startWords }), ...(state === undefined ? {} : { resume: state }) };
        const last = await train(gpu, job, {
          signal: host.signal,
          phase: (progress) => host.phase(progress),
          log: (entry) => host.log(entry),
          keepCheckpoint: (last) => host.keepCheckpoint(last.update, stateFile(last)),
          afterStep: (report, snapshot, drawSamples) =>
            host.afterStep(report, async () => stateFile(await snapshot()), drawSamples),
          sampling: (event, snapshot) => host.sampling(event, snapshot && (async () => stateFile(await snapshot()))),
          save: (saved) => host.save(saved),
          finish: async (finished) => {
            const file = resultFile(finished, seconds(), checkpoint);
            if (isStreamed(file)) await host.finish(file);
          },
          sample: async (picture) => host.sample(await storable(picture)),
        });
        return last.model === undefined ? writeResult(last, seconds()) : undefined;
      } finally {
        gpu.destroy();
      }
    },

    async exportAdapter(snapshot, _, base) {
      return resultFile(await decodeState(snapshot), seconds(), base);
    },
  };
}

/** Numbers in the file of a whole model. */
function modelElements({ file, keys }: Checkpoint): number {
  return [...keys.values()].reduce((sum, key) => sum + elementCount(file.entry(key).shape), 0);
}

async function storable({ rgba, infotext, ...sample }: SamplePicture): Promise<NewSample> {
  const { step, epoch, index, prompt, seed, width, height, milliseconds } = sample;
  const png = writePngText(await encodePng({ width, height, rgba }), "parameters", infotext);
  return { step, epoch, index, prompt, seed, width, height, milliseconds, png: new Blob([png], { type: "image/png" }) };
}
