/** Differences of every kind against layers that LyCORIS ran in PyTorch. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readDelta, readMagnitudes, type ModuleDelta } from "../../src/lora/network-delta.ts";
import { readNetwork } from "../../src/lora/network-reader.ts";
import { networkFile, type FileTensor } from "./network-files.ts";

interface Tensor {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface LayerCase {
  readonly name: string;
  readonly module: "linear" | "conv3x3";
  readonly base_weight: Tensor;
  readonly base_bias: Tensor;
  readonly x: Tensor;
  readonly y: Tensor;
  /** A scalar is a number. */
  readonly saved_tensors: Readonly<Record<string, Tensor | number>>;
}

const { cases } = JSON.parse(readFileSync(new URL("fixtures/networks.json", import.meta.url), "utf8")) as { cases: LayerCase[] };

describe("a module's difference", () => {
  it.each(cases)("$name: the layer gives LyCORIS's output", async (layer) => {
    const { module, base_weight: base, base_bias: bias, x, y } = layer;
    const taps = module === "linear" ? 1 : 9;
    const tensors = Object.entries(layer.saved_tensors).map(([part, value]): FileTensor => {
      const name = `lora_unet_layer.${part}`;
      return typeof value === "number" ? { name, shape: [], values: [value] } : { name, shape: value.shape, values: value.data };
    });
    const { file, modules } = await readNetwork(await networkFile(tensors));
    const source = modules[0]!;
    const [out = 0, channels = 0] = base.shape;
    expect(source).toMatchObject({ out, width: channels * taps });
    const delta = expand(await readDelta(file, source, taps), out, channels * taps);
    let weight = base.data.map((value, i) => value + source.scale * delta[i]!);
    if (source.magnitudes !== undefined) {
      weight = decompose(weight, await readMagnitudes(file, source), source.magnitudes, channels, taps);
    }
    const actual = module === "linear" ? linear(x, weight, bias.data) : convolve(x, weight, bias.data);
    expect(actual.length).toBe(y.data.length);
    actual.forEach((value, i) => expect(Math.abs(value - y.data[i]!), `y[${i}]`).toBeLessThan(2e-5));
  });
});

/** [out, width] in PyTorch's order. */
function expand(delta: ModuleDelta, out: number, width: number): number[] {
  return Array.from({ length: out * width }, (_, at) => {
    const [row, column] = [Math.floor(at / width), at % width];
    if (delta.form === "product") {
      return delta.pairs.reduce((product, { up, down }) => {
        let sum = 0;
        for (let k = 0; k < delta.rank; k++) sum += up[row * delta.rank + k]! * down[k * width + column]!;
        return product * sum;
      }, 1);
    }
    const { b, c, d } = delta.kron;
    const taps = width / (c * d);
    const [channel, tap] = [Math.floor(column / taps), column % taps];
    const w1 = delta.w1[Math.floor(row / b) * c + Math.floor(channel / d)]!;
    return w1 * delta.w2[((row % b) * d + (channel % d)) * taps + tap]!;
  });
}

function decompose(weight: number[], magnitudes: Float32Array, axis: "out" | "in", channels: number, taps: number): number[] {
  const groupOf = (i: number): number => (axis === "out" ? Math.floor(i / (channels * taps)) : Math.floor(i / taps) % channels);
  const squares = Array.from(magnitudes, () => 0);
  weight.forEach((value, i) => (squares[groupOf(i)]! += value * value));
  return weight.map((value, i) => (value * magnitudes[groupOf(i)]!) / Math.sqrt(squares[groupOf(i)]!));
}

function linear(x: Tensor, weight: readonly number[], bias: readonly number[]): number[] {
  const width = x.shape.at(-1)!;
  return Array.from({ length: (x.data.length / width) * bias.length }, (_, at) => {
    const [row, column] = [Math.floor(at / bias.length), at % bias.length];
    return x.data.slice(row * width, (row + 1) * width).reduce((sum, value, i) => sum + value * weight[column * width + i]!, bias[column]!);
  });
}

/** 3×3, padding 1, NCHW. */
function convolve({ shape, data }: Tensor, weight: readonly number[], bias: readonly number[]): number[] {
  const [batch = 0, channels = 0, height = 0, width = 0] = shape;
  const y: number[] = [];
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < bias.length; o++) {
      for (let row = 0; row < height; row++) {
        for (let column = 0; column < width; column++) {
          let sum = bias[o]!;
          for (let c = 0; c < channels; c++) {
            for (let tap = 0; tap < 9; tap++) {
              const [r, k] = [row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1];
              if (r < 0 || r >= height || k < 0 || k >= width) continue;
              sum += data[((n * channels + c) * height + r) * width + k]! * weight[(o * channels + c) * 9 + tap]!;
            }
          }
          y.push(sum);
        }
      }
    }
  }
  return y;
}
