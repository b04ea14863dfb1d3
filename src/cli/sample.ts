/** The command `sample`: a prompt to a picture on this machine's GPU. */
import { mkdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { parseSamplePrompts, readPromptFile } from "../config/sample-prompts.ts";
import { samplerNames, scheduleNames, type SamplerName, type ScheduleChoice } from "../config/sampling.ts";
import { openTensorFile } from "../formats/open-tensor-file.ts";
import type { TensorFile } from "../formats/tensor-file.ts";
import { checkRequest } from "../generation/check-request.ts";
import { randomSeed } from "../random/rng.ts";
import { samplerOf } from "../training/sample-plan.ts";
import { noMore, readOptions, usageError, type Command } from "./command.ts";
import { drawAll, encodePicture } from "./draw-pictures.ts";
import { openNodeFile } from "./node-file.ts";
import { withModel } from "./open-model.ts";
import { say } from "./terminal.ts";
import { writeWhole } from "./write-file.ts";
import type { AdapterWeight, GenerationRequest } from "../generation/request.ts";

const help = `lorasmith sample --model FILE --prompt TEXT --out FILE.png [options]
lorasmith sample --model FILE --prompts FILE --out FOLDER [options]

Makes a picture. Prompts are in the web UI's syntax: (weights:1.2), [a|b], [a:b:0.5], AND, BREAK, <lora:name:0.8>. The
settings are written into the picture, as the web UI does.

  --model FILE         Stable Diffusion 1.x or 2.x checkpoint (.safetensors, .ckpt)
  --prompt TEXT        what to see
  --negative TEXT      what not to see
  --prompts FILE       many prompts: a line each with kohya's flags (--n --w --h --d --l --s --ss), or its JSON or TOML
                       list; steps and cfg are kohya's 30 and 7.5 where a line has none, everything else comes from the
                       options below, seeds counting up from --seed
  --out FILE           the picture, a PNG; with --prompts a folder for 00.png, 01.png, …
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
  prompts: { type: "string" },
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
  const { model, out, prompt, prompts } = options;
  if (model === undefined) throw usageError("sample", "--model is missing");
  if (out === undefined) throw usageError("sample", "--out is missing");
  if ((prompt === undefined) === (prompts === undefined)) throw usageError("sample", "give either --prompt or --prompts");
  if (prompt !== undefined && !/\.png$/i.test(out)) throw usageError("sample", `--out is "${out}"; its name must end in .png`);
  const base = readRequest(options);
  const requests = prompts === undefined ? [base] : await readRequests(prompts, base);
  requests.forEach(checkRequest);
  if (prompts !== undefined) await mkdir(out, { recursive: true });
  const loras = options.lora.map(parseLora);
  await withModel(model, (checkpoint) =>
    withFiles([...loras.map(({ path }) => path), ...options.embedding, ...(options.vae === undefined ? [] : [options.vae])], async (files) => {
      const adapters = files.splice(0, loras.length);
      const embeddings = files.splice(0, options.embedding.length);
      const [vae] = files;
      await drawAll({
        files: { checkpoint, embeddings, ...(vae === undefined ? {} : { vae }) },
        adapters,
        weights: loras,
        requests,
        async take(picture, index) {
          const path = prompts === undefined ? out : join(out, `${String(index).padStart(2, "0")}.png`);
          await writeWhole(path, await encodePicture(picture, checkpoint, adapters, vae));
          const { width, height, request, milliseconds } = picture;
          process.stdout.write(`${path}: ${width}x${height}, seed ${request.seed}, ${(milliseconds / 1000).toFixed(1)} s\n`);
        },
      });
    }),
  );
}

/** @throws InputError `samples.file`, `samples.flag`, and for a file without prompts */
async function readRequests(path: string, base: GenerationRequest): Promise<GenerationRequest[]> {
  const { prompts, errors, ignored } = parseSamplePrompts(readPromptFile(path, await readFile(path, "utf8")));
  const [wrong] = errors;
  if (wrong !== undefined) throw wrong;
  if (prompts.length === 0) throw usageError("sample", `${path} has no prompts`);
  for (const { line, flag } of ignored) say(`${path}:${line}: ${flag} has no effect here`);
  return prompts.map(({ prompt, negative, width, height, seed, steps, cfg, sampler }, i) => ({
    ...base,
    prompt,
    negative: negative === "" ? base.negative : negative,
    width: width ?? base.width,
    height: height ?? base.height,
    seed: seed ?? base.seed + i,
    steps,
    cfg,
    sampler: sampler === undefined ? base.sampler : samplerOf(sampler),
  }));
}

function readRequest(options: Options): GenerationRequest {
  const number = (name: "steps" | "cfg" | "width" | "height" | "clip-skip", text = options[name]): number => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (Number.isFinite(value)) return value;
    throw usageError("sample", `--${name} is "${text}", which is no number`);
  };
  const { seed, sampler, schedule } = options;
  const wantedSeed = seed === undefined ? randomSeed() : Number(seed.trim() === "" ? Number.NaN : seed);
  return {
    prompt: options.prompt ?? "",
    negative: options.negative,
    seed: wantedSeed,
    steps: number("steps"),
    cfg: number("cfg"),
    sampler: oneOf<SamplerName>("sampler", sampler, samplerNames),
    schedule: oneOf<ScheduleChoice>("schedule", schedule, ["automatic", ...scheduleNames]),
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
