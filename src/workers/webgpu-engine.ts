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
import { writeResult } from "../training/result.ts";
import { describeOrigin } from "../training/run-origin.ts";
import { baseMerges } from "../training/start-networks.ts";
import { planDataset } from "../training/run-plan.ts";
import { planRun } from "../training/run-settings.ts";
import { decodeState, encodeState } from "../training/state-file.ts";
import { planTextCache } from "../training/text-cache.ts";
import { train } from "../training/trainer.ts";
import { writePngText } from "../formats/png-text.ts";
import type { SamplePicture } from "../training/events.ts";
import { adapterTier } from "./adapter-tier.ts";
import { memoryAdvice } from "./plan-advice.ts";
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
      const { adapters, words } = run.options;
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
        advice: [...rateAdvice(config), ...noiseAdvice(config), ...rankAdvice(config), ...startAdvice(config), ...memoryAdvice(predicted, levers)],
        resultBytes: weights * bytesPerWeight[config.save_precision ?? "float"],
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
          keepCheckpoint: (last) => host.keepCheckpoint(last.update, encodeState(last)),
          afterStep: (report, snapshot, drawSamples) =>
            host.afterStep(report, async () => encodeState(await snapshot()), drawSamples),
          sampling: (event, snapshot) => host.sampling(event, snapshot && (async () => encodeState(await snapshot()))),
          save: (saved) => host.save(saved),
          sample: async (picture) => host.sample(await storable(picture)),
        });
        return writeResult(last, seconds());
      } finally {
        gpu.destroy();
      }
    },

    async exportAdapter(snapshot) {
      return writeResult(await decodeState(snapshot), seconds());
    },
  };
}

async function storable({ rgba, infotext, ...sample }: SamplePicture): Promise<NewSample> {
  const { step, epoch, index, prompt, seed, width, height, milliseconds } = sample;
  const png = writePngText(await encodePng({ width, height, rgba }), "parameters", infotext);
  return { step, epoch, index, prompt, seed, width, height, milliseconds, png: new Blob([png], { type: "image/png" }) };
}
