/** Draws requests one after another with everything loaded once, and writes settings into the pictures. */
import sharp from "sharp";
import { CancelledError } from "../errors.ts";
import { shortModelHash } from "../formats/model-hash.ts";
import { writePngText } from "../formats/png-text.ts";
import { planGeneration } from "../generation/forecast.ts";
import { Generator } from "../generation/generator.ts";
import { openModels, type ModelFiles } from "../generation/models.ts";
import { describePicture } from "../generation/picture-text.ts";
import { implementation } from "../version.ts";
import { describeGpu, openNodeGpu } from "./dawn.ts";
import { bar } from "./progress.ts";
import { clearLive, live, mebibytes, say } from "./terminal.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import type { AdapterWeight, GeneratedPicture, GenerationRequest } from "../generation/request.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";

export interface DrawJob {
  readonly files: ModelFiles;
  readonly adapters: readonly TensorFile[];
  readonly weights: readonly AdapterWeight[];
  readonly requests: readonly GenerationRequest[];
  /** Awaited after every picture. */
  take(picture: GeneratedPicture, index: number): Promise<void>;
}

/** @throws CancelledError on Ctrl+C, and what `Generator` throws */
export async function drawAll({ files, adapters, weights, requests, take }: DrawJob): Promise<void> {
  const models = await openModels(files);
  const gpu = await openNodeGpu();
  say(`GPU: ${describeGpu(gpu)}`);
  const stop = new AbortController();
  const onInterrupt = (): void => stop.abort();
  process.once("SIGINT", onInterrupt).once("SIGTERM", onInterrupt);
  try {
    // Before weights are loaded, which takes a while.
    const plans = requests.map((request) => planGeneration(models, request, gpu.tier));
    const { tiles, peakBytes } = plans.reduce((a, b) => (b.peakBytes > a.peakBytes ? b : a));
    say(`GPU memory without adapters: ${mebibytes(peakBytes)}; decoded ${tiles === 1 ? "whole" : `in ${tiles} tiles`}`);
    const generator = await Generator.open(gpu, {
      ...files, signal: stop.signal, onProgress: (done, total) => show("Loading weights", done, total, mebibytes(total)),
    });
    for (const file of adapters) {
      const { name, kind, applied, misfits } = await generator.addAdapter(file, { signal: stop.signal });
      say(`${name}: ${kind}, ${applied} modules${misfits.length === 0 ? "" : `; ${misfits.length} have no place in this model`}`);
    }
    for (const [index, request] of requests.entries()) {
      const what = requests.length === 1 ? "Drawing" : `Drawing ${index + 1}/${requests.length}`;
      const picture = await generator.generate(request, {
        adapters: weights,
        signal: stop.signal,
        onCompile: (done, total) => show("Compiling shaders", done, total, String(total)),
        onProgress: ({ step, steps }) => show(what, step, steps, `step ${steps}`),
      });
      clearLive();
      await take(picture, index);
    }
  } catch (error) {
    throw stop.signal.aborted ? new CancelledError() : error;
  } finally {
    process.off("SIGINT", onInterrupt).off("SIGTERM", onInterrupt);
    clearLive();
    gpu.destroy();
  }
}

function show(what: string, done: number, total: number, end: string): void {
  if (process.stderr.isTTY === true) live(`${what} ${bar(done, total)} of ${end}`);
}

/** A PNG with the settings inside. */
export async function encodePicture(
  picture: GeneratedPicture, { file }: Checkpoint, adapters: readonly TensorFile[], vae: TensorFile | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height, rgba } = picture;
  const png = await sharp(rgba, { raw: { width, height, channels: 4 } }).removeAlpha().png().toBuffer();
  const stem = (name: string): string => name.replace(/\.[^.]+$/, "");
  const hash = await shortModelHash(file.source);
  const hashes = adapters.flatMap(({ source, metadata }): [string, string][] => {
    const written = metadata.get("sshs_model_hash");
    return written === undefined ? [] : [[stem(source.name), written.slice(0, 12)]];
  });
  const text = describePicture(picture, {
    model: { name: stem(file.source.name), ...(hash === undefined ? {} : { hash }) },
    ...(vae === undefined ? {} : { vae: vae.source.name }),
    adapterHashes: new Map(hashes),
    program: implementation,
  });
  return writePngText(new Uint8Array(png), "parameters", text);
}
