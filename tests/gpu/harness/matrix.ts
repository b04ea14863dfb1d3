/** Cases of the replay matrix (tests/reference/make_matrix.py): a real run of each, held against sd-scripts' own. */
import { readdir } from "node:fs/promises";
import { stringify } from "smol-toml";
import { loadKohyaConfig, type LoadedConfig } from "../../../src/config/kohya.ts";
import { baseNorms, initialAdapter } from "../../../src/training/adapter-init.ts";
import { describeOrigin } from "../../../src/training/run-origin.ts";
import { planDataset, type TrainingPicture } from "../../../src/training/run-plan.ts";
import { createAdapters } from "../../../src/training/run-settings.ts";
import { openStartNetworks, startValues } from "../../../src/training/start-networks.ts";
import { train } from "../../../src/training/trainer.ts";
import type { RgbaImage } from "../../../src/dataset/image.ts";
import type { Gpu } from "../../../src/gpu/device.ts";
import type { ModuleWeights } from "../../../src/lora/factors.ts";
import type { Checkpoint } from "../../../src/models/checkpoint-types.ts";
import type { StepReport } from "../../../src/training/events.ts";
import type { ModelState } from "../../../src/training/state-file.ts";
import { openReference, referencePath } from "./reference-data.ts";

interface Picture {
  readonly number: number;
  readonly caption: string;
  readonly width: number;
  readonly height: number;
  readonly repeats: number;
  readonly is_reg: boolean;
  readonly has_alpha: boolean;
  readonly has_mask: boolean;
}

interface Expected {
  /** Of each update. */
  readonly losses: readonly number[];
  readonly gradNorms: readonly number[];
  readonly start: number;
  /** Of a model that is trained itself: its tensors in order, and of how many numbers `change` has one. */
  readonly keys?: readonly string[];
  readonly stride?: number;
  /** Length of all of the change. */
  readonly moved?: number;
}

export interface MatrixCase {
  readonly name: string;
  readonly family: "sd1" | "sd2";
  /** Under kohya's keys. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly loaded: LoadedConfig;
  readonly pictures: readonly TrainingPicture[];
  readonly expected: Expected;
  /** What each tensor changed by, as parts of its largest change, one tensor after the other. */
  readonly change: Float32Array;
  readonly scales: Float32Array;
}

/** How far a run is from sd-scripts'. */
export interface Divergence {
  /** Largest relative error. */
  readonly loss: number;
  readonly gradNorm: number;
  /** One minus the cosine of the finished adapter, and of how it differs from its start. */
  readonly adapter: number;
  readonly change: number;
  /** Relative error of the length of the change. */
  readonly length: number;
  /** Relative error of a sum over all of the adapter's start. */
  readonly start: number;
}

export async function matrixNames(): Promise<string[]> {
  const files = await readdir(referencePath("matrix"));
  return files.map((file) => file.replace(/\.safetensors$/, "")).toSorted();
}

export async function openCase(name: string): Promise<MatrixCase> {
  const file = await openReference(`matrix/${name}.safetensors`);
  const { case: about, expected } = JSON.parse(file.metadata.get("matrix") ?? "") as {
    readonly case: { readonly family: "sd1" | "sd2"; readonly config: Record<string, unknown>; readonly pictures: readonly Picture[] };
    readonly expected: Expected;
  };
  return {
    name,
    family: about.family,
    settings: about.config,
    loaded: loadKohyaConfig(stringify(about.config)),
    pictures: about.pictures.map(drawn),
    expected,
    change: await file.readF32("change"),
    scales: await file.readF32("scales"),
  };
}

/** The pictures that matrix_data.py draws. */
function drawn({ number: n, caption, width, height, repeats, is_reg: isReg, has_alpha: hasAlpha, has_mask: hasMask }: Picture): TrainingPicture {
  const image = async (value: (x: number, y: number, c: number) => number): Promise<RgbaImage> => {
    const data = Uint8Array.from({ length: width * height * 4 }, (_, at) => value((at >> 2) % width, Math.floor((at >> 2) / width), at & 3));
    return { width, height, data };
  };
  return {
    path: `${n}.png`,
    size: [width, height],
    repeats,
    isReg,
    caption,
    decode: () => image((x, y, c) => {
      if (c === 3) return hasAlpha ? (x * 4) & 255 : 255;
      return (x * (5 + 3 * n) + y * (7 + 2 * n) + ((x * y) >> 3) * (c + 1) + c * 40) & 255;
    }),
    ...(hasMask && { decodeMask: () => image((x, y) => (3 * x + 5 * y) & 255) }),
  };
}

export async function runCase(gpu: Gpu, checkpoint: Checkpoint, { loaded: { config }, pictures, expected, change, scales }: MatrixCase): Promise<Divergence> {
  const networks = await openStartNetworks(config, (name) => openReference(`matrix-networks/${name}`));
  const facts = await describeOrigin({
    checkpoint, config, dataset: { subsets: [], pictures }, plan: planDataset(pictures, config), sessionId: 1, startedAt: 0,
  });
  const reports: StepReport[] = [];
  let trained: Float32Array[] | undefined;
  const state = await train(gpu, { checkpoint, config, pictures, facts, networks }, {
    signal: new AbortController().signal,
    phase: () => undefined,
    log: () => undefined,
    keepCheckpoint: async () => undefined,
    afterStep: async (report) => {
      reports.push(report);
      return "continue";
    },
    finish: async ({ model }) => {
      if (model !== undefined) trained = await modelTensors(checkpoint, model, expected.keys ?? []);
    },
  });
  const adapters = createAdapters(checkpoint, config, networks.network);
  const initial = initialAdapter(adapters, config.seed ?? 0, await baseNorms(checkpoint, adapters));
  const given = await startValues(config, networks, adapters, () => undefined);
  for (const [name, values] of given.weights) initial.set(name, { ...initial.get(name), ...values });
  const start = trained === undefined
    ? tensorsOf(initial)
    : await Promise.all((expected.keys ?? []).map((key) => checkpoint.file.readF32(checkpoint.keys.get(key) ?? key)));
  const end = trained ?? tensorsOf(state.weights);
  const { stride = 1 } = expected;
  const count = start.reduce((sum, { length }) => sum + length, 0);
  if (end.length !== scales.length || start.length !== scales.length || Math.ceil(count / stride) !== change.length) {
    throw new Error(`${end.length} tensors of ${count} elements, expected are ${scales.length} of ${change.length}`);
  }
  const [whole, moved] = [new Similarity(), new Similarity()];
  let [at, sum, square] = [0, 0, 0];
  end.forEach((tensor, t) => {
    tensor.forEach((value, i) => {
      const first = start[t]![i]!;
      sum += first ** 2 * (2 + Math.cos(i + 1));
      square += (value - first) ** 2;
      if (at++ % stride !== 0) return;
      const wanted = change[(at - 1) / stride]! * scales[t]!;
      whole.add(value, first + wanted);
      moved.add(value - first, wanted);
    });
  });
  return {
    loss: worst(reports.map(({ loss }) => loss), expected.losses),
    gradNorm: worst(reports.map(({ gradNorm }) => gradNorm), expected.gradNorms),
    adapter: 1 - whole.cosine,
    change: 1 - moved.cosine,
    length: Math.abs((expected.moved === undefined ? moved.ratio : Math.sqrt(square) / expected.moved) - 1),
    start: Math.abs(sum / expected.start - 1),
  };
}

async function modelTensors(checkpoint: Checkpoint, model: ModelState, keys: readonly string[]): Promise<Float32Array[]> {
  const tensors: Float32Array[] = [];
  for (const key of keys) {
    const parts = model.tensors.filter((tensor) => tensor.key === key).toSorted((a, b) => a.firstRow - b.firstRow);
    // What no gradient reaches is as it was.
    if (parts.length === 0) tensors.push(await checkpoint.file.readF32(checkpoint.keys.get(key) ?? key));
    if (parts.length === 0) continue;
    const pieces: number[] = [];
    for (const part of parts) {
      for await (const piece of model.read(part, "params")) for (const value of piece) pieces.push(value);
    }
    tensors.push(Float32Array.from(pieces));
  }
  return tensors;
}

function tensorsOf(weights: ReadonlyMap<string, ModuleWeights>): Float32Array[] {
  return [...weights.values()].flatMap((factors) => Object.values(factors));
}

function worst(values: readonly number[], expected: readonly number[]): number {
  if (values.length !== expected.length) return Infinity;
  return Math.max(...values.map((value, i) => Math.abs(value / expected[i]! - 1)));
}

class Similarity {
  #dot = 0;
  #a = 0;
  #b = 0;
  add(a: number, b: number): void {
    this.#dot += a * b;
    this.#a += a * a;
    this.#b += b * b;
  }
  get cosine(): number {
    return this.#dot / Math.sqrt(this.#a * this.#b);
  }
  get ratio(): number {
    return Math.sqrt(this.#a / this.#b);
  }
}
