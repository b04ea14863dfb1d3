/** The command `sample`: a prompt to a picture on this machine's GPU. */
import { basename } from "node:path";
import sharp from "sharp";
import { CancelledError } from "../errors.ts";
import { shortModelHash } from "../formats/model-hash.ts";
import { writePngText } from "../formats/png-text.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { checkRequest } from "../generation/check-request.ts";
import { planGeneration } from "../generation/forecast.ts";
import { Generator } from "../generation/generator.ts";
import { openModels, type ModelFiles } from "../generation/models.ts";
import { describePicture } from "../generation/picture-text.ts";
import { samplerNames, type SamplerName } from "../models/samplers/samplers.ts";
import { scheduleNames, type ScheduleName } from "../models/samplers/schedules.ts";
import { randomSeed } from "../random/rng.ts";
import { implementation } from "../version.ts";
import { noMore, readOptions, usageError, type Command } from "./command.ts";
import { describeGpu, openNodeGpu } from "./dawn.ts";
import { openNodeFile } from "./node-file.ts";
import { withModel } from "./open-model.ts";
import { bar } from "./progress.ts";
import { clearLive, live, mebibytes, say } from "./terminal.ts";
import { writeWhole } from "./write-file.ts";
import type { AdapterWeight, GeneratedPicture, GenerationRequest } from "../generation/request.ts";
import type { Checkpoint } from "../models/checkpoint-types.ts";

const help = `lorasmith sample --model FILE --prompt TEXT --out FILE.png [options]

Makes a picture. Prompts are in the web UI's syntax: (weights:1.2), [a|b], [a:b:0.5], AND, BREAK, <lora:name:0.8>. The
settings are written into the picture, as the web UI does.

  --model FILE         Stable Diffusion 1.x or 2.x checkpoint (.safetensors, .ckpt)
  --prompt TEXT        what to see
  --negative TEXT      what not to see
  --out FILE           the picture, a PNG
  --seed N             the same one gives the same picture; by default a random one
  --steps N            default 20
  --cfg N              how strictly to follow the prompt; default 7
  --sampler NAME       ${samplerNames.join(", ")}; default dpmpp_2m
  --schedule NAME      ${scheduleNames.join(", ")}; default automatic
  --width N            pixels, a multiple of 8; default 512
  --height N           likewise
  --clip-skip N        1 is the text encoder's last layer, the default
  --lora FILE[:W[:T]]  an adapter at weight W (default 1), at T on the text encoder (default W); repeatable. A weight of
                       0 leaves it to the prompt's <lora:name:weight>
  --embedding FILE     a textual-inversion embedding, named in prompts as its file; repeatable
  --vae FILE           another VAE than the checkpoint's own
`;

export const sampleCommand: Command = { name: "sample", summary: "make a picture from a prompt", help, run: runSample };

const optionTypes = {
  model: { type: "string" },
  prompt: { type: "string" },
  negative: { type: "string", default: "" },
  out: { type: "string" },
  seed: { type: "string" },
  steps: { type: "string", default: "20" },
  cfg: { type: "string", default: "7" },
  sampler: { type: "string", default: "dpmpp_2m" },
  schedule: { type: "string", default: "automatic" },
  width: { type: "string", default: "512" },
  height: { type: "string", default: "512" },
  "clip-skip": { type: "string", default: "1" },
  lora: { type: "string", multiple: true, default: [] as string[] },
  embedding: { type: "string", multiple: true, default: [] as string[] },
  vae: { type: "string" },
} as const;

type Options = ReturnType<typeof readSampleOptions>["values"];
const readSampleOptions = (argv: string[]) => readOptions("sample", argv, optionTypes);

async function runSample(argv: string[]): Promise<void> {
  const { values: options, positionals } = readSampleOptions(argv);
  noMore("sample", positionals);
  const { model, out } = options;
  if (model === undefined) throw usageError("sample", "--model is missing");
  if (out === undefined) throw usageError("sample", "--out is missing");
  if (!/\.png$/i.test(out)) throw usageError("sample", `--out is "${out}"; its name must end in .png`);
  const request = readRequest(options);
  checkRequest(request);
  const loras = options.lora.map(parseLora);
  await withModel(model, (checkpoint) =>
    withFiles([...loras.map(({ path }) => path), ...options.embedding, ...(options.vae === undefined ? [] : [options.vae])], async (files) => {
      const adapters = files.splice(0, loras.length);
      const embeddings = files.splice(0, options.embedding.length);
      const [vae] = files;
      const picture = await draw({ checkpoint, embeddings, ...(vae === undefined ? {} : { vae }) }, adapters, loras, request);
      await writeWhole(out, await encode(picture, checkpoint, adapters, vae));
      process.stdout.write(`${out}: ${picture.width}x${picture.height}, seed ${request.seed}, ${(picture.milliseconds / 1000).toFixed(1)} s\n`);
    }),
  );
}

function readRequest(options: Options): GenerationRequest {
  if (options.prompt === undefined) throw usageError("sample", "--prompt is missing");
  const number = (name: "steps" | "cfg" | "width" | "height" | "clip-skip", text = options[name]): number => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (Number.isFinite(value)) return value;
    throw usageError("sample", `--${name} is "${text}", which is no number`);
  };
  const { seed, sampler, schedule } = options;
  const wantedSeed = seed === undefined ? randomSeed() : Number(seed.trim() === "" ? Number.NaN : seed);
  return {
    prompt: options.prompt,
    negative: options.negative,
    seed: wantedSeed,
    steps: number("steps"),
    cfg: number("cfg"),
    sampler: oneOf<SamplerName>("sampler", sampler, samplerNames),
    schedule: oneOf<ScheduleName | "automatic">("schedule", schedule, ["automatic", ...scheduleNames]),
    width: number("width"),
    height: number("height"),
    clipSkip: number("clip-skip"),
  };
}

function oneOf<T extends string>(name: string, value: string, known: readonly T[]): T {
  const found = known.find((candidate) => candidate === value);
  if (found === undefined) throw usageError("sample", `--${name} is "${value}"; it is one of ${known.join(", ")}`);
  return found;
}

interface LoraOption extends AdapterWeight {
  readonly path: string;
}

/** `file`, `file:weight` or `file:weight:text encoder's weight`; other colons belong to the path. */
function parseLora(text: string): LoraOption {
  const [, path = text, first, second] = /^(.+?)(?::(-?[\d.]+))?(?::(-?[\d.]+))?$/.exec(text) ?? [];
  const unet = Number(first ?? 1);
  const textEncoder = Number(second ?? unet);
  if (Number.isNaN(unet + textEncoder)) throw usageError("sample", `--lora is "${text}"; its weights are no numbers`);
  return { path, unet, textEncoder, name: basename(path).replace(/\.[^.]+$/, "") };
}

async function withFiles<T>(paths: readonly string[], use: (files: TensorFile[]) => Promise<T>): Promise<T> {
  const sources: Awaited<ReturnType<typeof openNodeFile>>[] = [];
  try {
    const files: TensorFile[] = [];
    for (const path of paths) {
      const source = await openNodeFile(path);
      sources.push(source);
      files.push(await openTensorFile(source));
    }
    return await use(files);
  } finally {
    await Promise.all(sources.map((source) => source.close()));
  }
}

async function draw(
  files: ModelFiles, adapters: readonly TensorFile[], weights: readonly AdapterWeight[], request: GenerationRequest,
): Promise<GeneratedPicture> {
  const models = await openModels(files);
  const gpu = await openNodeGpu();
  say(`GPU: ${describeGpu(gpu)}`);
  const stop = new AbortController();
  const onInterrupt = (): void => stop.abort();
  process.once("SIGINT", onInterrupt).once("SIGTERM", onInterrupt);
  try {
    // Before weights are loaded, which takes a while.
    const { tiles, peakBytes } = planGeneration(models, request, gpu.tier);
    say(`GPU memory without adapters: ${mebibytes(peakBytes)}; decoded ${tiles === 1 ? "whole" : `in ${tiles} tiles`}`);
    const generator = await Generator.open(gpu, {
      ...files, signal: stop.signal, onProgress: (done, total) => show("Loading weights", done, total, mebibytes(total)),
    });
    for (const file of adapters) {
      const { name, kind, applied, misfits } = await generator.addAdapter(file, { signal: stop.signal });
      say(`${name}: ${kind}, ${applied} modules${misfits.length === 0 ? "" : `; ${misfits.length} have no place in this model`}`);
    }
    return await generator.generate(request, {
      adapters: weights, signal: stop.signal, onProgress: ({ step, steps }) => show("Drawing", step, steps, `step ${steps}`),
    });
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
async function encode(
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
