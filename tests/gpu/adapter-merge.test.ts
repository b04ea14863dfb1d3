/** Adapters merged into weights on the GPU, against PyTorch's numbers (tests/reference/make_networks.py) and by hand. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blobSource } from "../../src/formats/byte-source.ts";
import { openSafetensors, type SafetensorsFile } from "../../src/formats/safetensors.ts";
import { encodeSafetensors } from "../../src/formats/safetensors-writer.ts";
import { AdapterMerger } from "../../src/generation/adapter-merger.ts";
import { adapterReport } from "../../src/generation/adapter-report.ts";
import type { AdapterWeight } from "../../src/generation/request.ts";
import type { Gpu } from "../../src/gpu/device.ts";
import { Graph, type WeightSource } from "../../src/gpu/graph/graph.ts";
import { byteLength, type Tensor } from "../../src/gpu/graph/tensor.ts";
import { planResidents, Residents } from "../../src/gpu/program/residents.ts";
import { matchNetwork, type NetworkMatch } from "../../src/lora/network-match.ts";
import { readNetwork } from "../../src/lora/network-reader.ts";
import type { Checkpoint } from "../../src/models/checkpoint-types.ts";
import { buildTextGraph, buildUNetGraph, weightShapes } from "../../src/models/forward-graphs.ts";
import type { ModuleName } from "../../src/models/names.ts";
import { loadWeights } from "../../src/models/weight-loader.ts";
import { openTestGpu } from "./harness/adapter.ts";
import { random } from "./harness/check-op.ts";
import { f16ToF32, f32ToF16 } from "./harness/half.ts";
import { openMini, openReference } from "./harness/reference-data.ts";

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu({ defaultLimitsOnly: true });
});
afterAll(() => gpu.destroy());

describe("adapters on the mini SD1 model", () => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await LoadedModel.load("sd1");
  });
  afterAll(() => model.destroy());

  it.each(["lora", "lycoris", "dora", "peft", "mixed"])("%s: give PyTorch's weights", async (name) => {
    await expectWeights(model, name);
  });

  it("give PyTorch's weights in whatever order they were loaded", async () => {
    await expectWeights(model, "mixed", (mix) => mix.toReversed());
  });

  it("leave every byte of the base at weight 0, and after they are gone", async () => {
    const merger = model.merger();
    const before = await model.readAll();
    const matches = await Promise.all(["lora", "lycoris", "dora"].map((name) => model.match(`networks-${name}`)));
    for (const match of matches) await merger.add(match);
    expect(await model.differences(before), "loaded, weight 0").toEqual([]);
    merger.setWeights(matches.map(({ network }) => ({ name: network.name, unet: 1, textEncoder: 1 })));
    expect((await model.differences(before)).length, "the adapters act").toBeGreaterThan(10);
    merger.setWeights(matches.map(({ network }) => ({ name: network.name, unet: 0, textEncoder: 0 })));
    expect(await model.differences(before), "weight 0 again").toEqual([]);
    merger.setWeights([{ name: "networks-lora", unet: 0.5, textEncoder: 0 }, { name: "networks-dora", unet: 0.5, textEncoder: 0 }]);
    merger.remove("networks-dora");
    merger.remove("networks-lora");
    merger.remove("networks-lycoris");
    expect(await model.differences(before), "removed").toEqual([]);
    expect(merger.bytes).toBe(0);
    merger.destroy();
  });

  it("act on the UNet and the text encoder separately", async () => {
    const merger = model.merger();
    const before = await model.readAll();
    await merger.add(await model.match("networks-lora"));
    merger.setWeights([{ name: "networks-lora", unet: 0, textEncoder: 1 }]);
    const changed = await model.differences(before);
    expect(changed.length).toBeGreaterThan(0);
    expect(changed.filter((name) => !name.startsWith("cond_stage_model"))).toEqual([]);
    merger.setWeights([]);
    merger.destroy();
  });

  it("move without new buffers, and write nothing for layers whose mix stays", async () => {
    const merger = model.merger();
    for (const name of ["lora", "lycoris"]) await merger.add(await model.match(`networks-${name}`));
    merger.setWeights([{ name: "networks-lora", unet: 0.5, textEncoder: 0.5 }, { name: "networks-lycoris", unet: 0.5, textEncoder: 0.5 }]);
    const { buffers, bindGroups, pipelines } = gpu.counters;
    const submits = gpu.counters.submits;
    merger.setWeights([{ name: "networks-lora", unet: 0.7, textEncoder: 0.5 }, { name: "networks-lycoris", unet: 0.5, textEncoder: 0.5 }]);
    expect(gpu.counters.submits).toBeGreaterThan(submits);
    expect(gpu.counters).toMatchObject({ buffers, bindGroups, pipelines });
    const again = gpu.counters.submits;
    merger.setWeights([{ name: "networks-lora", unet: 0.7, textEncoder: 0.5 }, { name: "networks-lycoris", unet: 0.5, textEncoder: 0.5 }]);
    expect(gpu.counters.submits, "the same mix").toBe(again);
    merger.setWeights([]);
    merger.destroy();
  });

  it("take the memory that was forecast, only for the tensors that they touch, and give it back", async () => {
    const merger = model.merger();
    const { buffers, bufferBytes } = gpu.counters;
    const matches = await Promise.all(["lora", "dora"].map((name) => model.match(`networks-${name}`)));
    const forecast = merger.bytesWith(matches);
    for (const match of matches) await merger.add(match);
    expect(merger.bytes).toBe(forecast);
    expect(gpu.counters.bufferBytes - bufferBytes).toBe(forecast);
    const whole = [...model.weights.keys()].reduce((total, tensor) => total + byteLength(tensor), 0);
    expect(forecast).toBeLessThan(whole / 4);
    merger.destroy();
    expect(gpu.counters).toMatchObject({ buffers, bufferBytes });
  });

  it("are as before when loading one fails", async () => {
    const merger = model.merger();
    const before = await model.readAll();
    const { buffers, bufferBytes } = gpu.counters;
    const broken = await withTensor(await openReference("networks-lora.safetensors"), "lora_unet_conv_in.lora_up.weight", Number.NaN);
    const match = matchNetwork(await readNetwork(broken), model.checkpoint);
    await expect(merger.add(match)).rejects.toMatchObject({ code: "lora.notFinite" });
    const stopped = AbortSignal.abort(new Error("stopped"));
    await expect(merger.add(await model.match("networks-dora"), { signal: stopped })).rejects.toThrow("stopped");
    expect(gpu.counters).toMatchObject({ buffers, bufferBytes });
    expect(merger.names).toEqual([]);
    expect(await model.differences(before)).toEqual([]);
    merger.destroy();
  });

  it("say how much of a file was applied", async () => {
    expect(adapterReport(await model.match("networks-lycoris"))).toEqual({
      name: "networks-lycoris",
      kind: "LoRA + LoHa + LoKr + full",
      rank: 2,
      applied: 11,
      misfits: ["lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0.diff_b"],
      reasons: { biasOrNorm: 1 },
    });
  });
});

describe("adapters on the mini SD2 model", () => {
  it("reach rows of OpenCLIP's stacked projections, and linears stored as convolutions", async () => {
    const model = await LoadedModel.load("sd2");
    await expectWeights(model, "sd2");
    model.destroy();
  });
});

describe("a layer of odd size", () => {
  /** 13 rows of a tensor of 16, behind 2 others; 6 channels in 8. */
  const odd = { rows: 13, channels: 6, taps: 9, before: 2 };

  it("with padded channels keeps its padding and its neighbours", async () => {
    const { rows, channels, taps, before } = odd;
    const next = random(7);
    const small = (count: number): Float32Array => Float32Array.from({ length: count }, () => f16ToF32(f32ToF16(next() - 0.5)));
    const base = Uint16Array.from({ length: 16 * taps * 8 }, (_, i) => (i % 8 < channels ? f32ToF16(next() - 0.5) : 0));
    const factors = [1, 2].map(() => ({ up: small(rows * 3), down: small(3 * channels * taps) }));
    const matches = await Promise.all(
      factors.map(({ up, down }, i) =>
        syntheticMatch(`odd-${i}`, { weightKey: "layer", rowStart: 0, in: channels, out: rows, kind: "conv3x3" }, [
          { name: "lora_up.weight", shape: [rows, 3, 1, 1], values: up },
          { name: "lora_down.weight", shape: [3, channels, 3, 3], values: down },
        ]),
      ),
    );
    const parts = [{ key: "other", rows: before }, { key: "layer", rows }];
    const actual = await mergeOne([16, 3, 3, 8], { parts, layout: "oihw", isZeroPadded: true }, base, matches, [
      { name: "odd-0", unet: 0.75, textEncoder: 0 },
      { name: "odd-1", unet: -1.5, textEncoder: 0 },
    ]);
    const expected = Uint16Array.from(base, (bits, at) => {
      const [row, tap, channel] = [Math.floor(at / (taps * 8)) - before, Math.floor(at / 8) % taps, at % 8];
      if (row < 0 || row >= rows || channel >= channels) return bits;
      let sum = f16ToF32(bits);
      factors.forEach(({ up, down }, i) => {
        for (let k = 0; k < 3; k++) sum += [0.75, -1.5][i]! * up[row * 3 + k]! * down[(k * channels + channel) * taps + tap]!;
      });
      return f32ToF16(sum);
    });
    expectUlps(actual, expected, "the tensor");
    expect(actual.subarray(0, before * taps * 8)).toEqual(base.subarray(0, before * taps * 8));
    expect(actual.subarray((before + rows) * taps * 8)).toEqual(base.subarray((before + rows) * taps * 8));
  });

  it("of several workgroups is adapted to its last row and column", async () => {
    const [rows, width, rank] = [300, 148, 5];
    const next = random(8);
    const values = (count: number): Float32Array => Float32Array.from({ length: count }, () => Math.fround(next() - 0.5));
    const base = Uint16Array.from({ length: rows * width }, () => f32ToF16(next() - 0.5));
    const [up, down] = [values(rows * rank), values(rank * width)];
    const match = await syntheticMatch("big", { weightKey: "layer", rowStart: 0, in: width, out: rows, kind: "linear" }, [
      { name: "lora_up.weight", shape: [rows, rank], values: up },
      { name: "lora_down.weight", shape: [rank, width], values: down },
    ]);
    const source = { parts: [{ key: "layer", rows }], layout: "rows" } as const;
    const actual = await mergeOne([rows, width], source, base, [match], [{ name: "big", unet: 0.3, textEncoder: 0 }]);
    const expected = Uint16Array.from(base, (bits, at) => {
      let sum = f16ToF32(bits);
      for (let k = 0; k < rank; k++) sum += 0.3 * up[Math.floor(at / width) * rank + k]! * down[k * width + (at % width)]!;
      return f32ToF16(sum);
    });
    expectUlps(actual, expected, "the tensor");
  });
});

describe("rounding", () => {
  it("is to nearest even, keeps the smallest numbers, and stops at the largest", async () => {
    // One row per base value; differences of every size, exact in f32.
    const bases = [0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x3c00, 0x3c01, 0xbbff, 0x7bff, 0xfbff, 0x1234, 0x5678];
    const deltas = [0, 2 ** -25, -(2 ** -25), 2 ** -24, 3 * 2 ** -25, 2 ** -15, 2 ** -12, 2 ** -11, 3 * 2 ** -11, -(2 ** -11), 16, -70000];
    const match = await syntheticMatch("exact", { weightKey: "layer", rowStart: 0, in: 12, out: 12, kind: "linear" }, [
      { name: "diff", shape: [12, 12], values: Float32Array.from({ length: 144 }, (_, i) => deltas[i % 12]!) },
    ]);
    const base = Uint16Array.from({ length: 144 }, (_, i) => bases[Math.floor(i / 12)]!);
    const source = { parts: [{ key: "layer", rows: 12 }], layout: "rows" } as const;
    const actual = await mergeOne([12, 12], source, base, [match], [{ name: "exact", unet: 1, textEncoder: 0 }]);
    const expected = Uint16Array.from(base, (bits, i) => {
      const sum = Math.fround(f16ToF32(bits) + deltas[i % 12]!);
      return f32ToF16(Math.max(-65504, Math.min(65504, sum)));
    });
    // Signs of zeros carry no meaning.
    const plain = (halves: Uint16Array): number[] => Array.from(halves, (bits) => (bits === 0x8000 ? 0 : bits));
    expect(plain(actual)).toEqual(plain(expected));
  });
});

/** UNet and text encoder of a mini checkpoint in GPU memory. */
class LoadedModel {
  readonly checkpoint: Checkpoint;
  readonly weights: ReadonlyMap<Tensor, WeightSource>;
  readonly residents: Residents;

  private constructor(checkpoint: Checkpoint, weights: ReadonlyMap<Tensor, WeightSource>, residents: Residents) {
    this.checkpoint = checkpoint;
    this.weights = weights;
    this.residents = residents;
  }

  static async load(family: "sd1" | "sd2"): Promise<LoadedModel> {
    const checkpoint = await openMini(family);
    const unet = buildUNetGraph(checkpoint, { batch: 1, height: 8, width: 8, tokens: 77 }).graph;
    const text = buildTextGraph(checkpoint, 1, 1).graph;
    const weights = new Map([...unet.weights, ...text.weights]);
    const residents = await Residents.allocate(gpu, planResidents(weights.keys(), gpu.tier.limits));
    await loadWeights(gpu, checkpoint, weights, residents);
    return new LoadedModel(checkpoint, weights, residents);
  }

  merger(): AdapterMerger {
    return new AdapterMerger(gpu, this.residents, this.weights, weightShapes(this.checkpoint));
  }

  async match(name: string): Promise<NetworkMatch> {
    return matchNetwork(await readNetwork(await openReference(`${name}.safetensors`)), this.checkpoint);
  }

  /** A checkpoint's weight in PyTorch's order, taken out of the tensor that holds it. */
  async readKey(key: string): Promise<Uint16Array> {
    const shapes = weightShapes(this.checkpoint);
    const [, channels = 0, ...kernel] = shapes.shape(key);
    for (const [tensor, { parts, layout }] of this.weights) {
      if (!parts.some((part) => part.key === key)) continue;
      const all = new Uint16Array(await this.residents.read(tensor.name, byteLength(tensor)));
      const rows = (part: (typeof parts)[number]): number => part.rows ?? shapes.shape(part.key)[0]!;
      const columns = all.length / tensor.shape[0]!;
      const mine = parts.flatMap((part, i) => {
        const start = parts.slice(0, i).reduce((total, other) => total + rows(other), 0) * columns;
        return part.key === key ? [...all.subarray(start, start + rows(part) * columns)] : [];
      });
      if (layout === "rows") return Uint16Array.from(mine);
      const taps = kernel.reduce((a, b) => a * b, 1);
      const padded = columns / taps;
      return Uint16Array.from({ length: (mine.length / padded) * channels }, (_, at) => {
        const [row, channel, tap] = [Math.floor(at / (channels * taps)), Math.floor(at / taps) % channels, at % taps];
        return mine[(row * taps + tap) * padded + channel]!;
      });
    }
    throw new Error(`no tensor holds ${key}`);
  }

  async readAll(): Promise<Map<string, string>> {
    const all = new Map<string, string>();
    for (const { name } of this.weights.keys()) all.set(name, Buffer.from(await this.residents.read(name)).toString("base64"));
    return all;
  }

  /** Names of tensors with other bytes than before. */
  async differences(before: ReadonlyMap<string, string>): Promise<string[]> {
    const now = await this.readAll();
    return [...now].filter(([name, bytes]) => bytes !== before.get(name)).map(([name]) => name);
  }

  destroy(): void {
    this.residents.destroy();
  }
}

/** Applies the mix that the reference names and compares every weight in it. */
async function expectWeights(model: LoadedModel, name: string, order: (mix: AdapterWeight[]) => AdapterWeight[] = (mix) => mix): Promise<void> {
  const expected = await openReference(`networks-${name}-expected.safetensors`);
  const mix = JSON.parse(expected.metadata.get("mix")!) as AdapterWeight[];
  const merger = model.merger();
  const before = await model.readAll();
  for (const adapter of order(mix)) await merger.add(await model.match(adapter.name));
  merger.setWeights(mix);
  for (const key of expected.tensors.keys()) expectUlps(await model.readKey(key), await expected.readF16(key), key);
  merger.setWeights([]);
  expect(await model.differences(before)).toEqual([]);
  merger.destroy();
}

interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

async function fileOf(name: string, tensors: readonly NamedTensor[]): Promise<SafetensorsFile> {
  const specs = tensors.map(({ name: key, shape, values }) => ({ name: key, shape, dtype: "F32" as const, values }));
  const bytes = encodeSafetensors(specs.map(({ values, ...spec }) => ({ ...spec, data: new Uint8Array(values.slice().buffer) })));
  return openSafetensors(blobSource(new Blob([bytes]), `${name}.safetensors`));
}

/** A file with one module, as if it had been matched with a layer of a model. */
async function syntheticMatch(
  name: string,
  target: Pick<ModuleName, "weightKey" | "rowStart" | "in" | "out" | "kind">,
  tensors: readonly NamedTensor[],
): Promise<NetworkMatch> {
  const file = await fileOf(name, tensors.map((tensor) => ({ ...tensor, name: `lora_unet_layer.${tensor.name}` })));
  const network = await readNetwork(file);
  const names = { diffusers: "layer", kohya: "lora_unet_layer", part: "unet", inTransformer: false } as const;
  return { network, modules: [{ source: network.modules[0]!, target: { ...target, ...names } }], misfits: [] };
}

/** Merges into a single tensor; returns its f16 bits. */
async function mergeOne(
  shape: readonly number[],
  source: WeightSource,
  base: Uint16Array<ArrayBuffer>,
  matches: readonly NetworkMatch[],
  weights: readonly AdapterWeight[],
): Promise<Uint16Array> {
  const graph = new Graph();
  const tensor = graph.weight("tensor", shape, "f16", source);
  const residents = await Residents.allocate(gpu, planResidents([tensor], gpu.tier.limits));
  residents.write("tensor", base);
  const shapes = { has: () => true, shape: () => [] };
  const merger = new AdapterMerger(gpu, residents, graph.weights, shapes);
  for (const match of matches) await merger.add(match);
  merger.setWeights(weights);
  const result = new Uint16Array(await residents.read("tensor", byteLength(tensor)));
  merger.destroy();
  residents.destroy();
  return result;
}

/** f16 numbers may be one step of the format apart where f32 sums fell on the other side, nearly all are equal. */
function expectUlps(actual: Uint16Array, expected: Uint16Array, label: string): void {
  expect(actual.length, `${label}: length`).toBe(expected.length);
  const order = (bits: number): number => (bits & 0x8000 ? -(bits & 0x7fff) : bits);
  const distances = Array.from(actual, (bits, i) => Math.abs(order(bits) - order(expected[i]!)));
  const farthest = distances.reduce((worst, distance, i) => (distance > distances[worst]! ? i : worst), 0);
  const values = `got ${f16ToF32(actual[farthest]!)}, expected ${f16ToF32(expected[farthest]!)}`;
  expect(distances[farthest], `${label}[${farthest}]: ${values}`).toBeLessThanOrEqual(1);
  expect(distances.filter((distance) => distance > 0).length / distances.length, `${label}: share that differs`).toBeLessThan(0.01);
}

/** The file with the first value of a tensor replaced. */
async function withTensor(file: SafetensorsFile, key: string, value: number): Promise<SafetensorsFile> {
  const { offset } = file.entry(key);
  const bytes = await file.source.read(0, file.source.size);
  new DataView(bytes.buffer).setUint16(offset, f32ToF16(value), true);
  return openSafetensors(blobSource(new Blob([bytes]), file.source.name));
}
