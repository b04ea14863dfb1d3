/** What applying an adapter takes on the GPU: kernel calls, and where its factors lie. Made without a GPU. */
import { InputError } from "../errors.ts";
import { byteLength, type Tensor } from "../gpu/graph/tensor.ts";
import { uniformStride } from "../gpu/program/plan.ts";
import { ceilDiv, spread, type EngineLimits } from "../gpu/tier.ts";
import { deltaForm, isHalf } from "../lora/network-delta.ts";
import type { MatchedModule, NetworkMatch } from "../lora/network-match.ts";
import { packedCount, paddedRows, rowBlock } from "./adapter-factors.ts";
import type { LayerPlace, WeightPlaces } from "./adapter-places.ts";

/** A range of one of the adapter's buffers. */
export interface Range {
  readonly chunk: number;
  readonly offset: number;
  readonly bytes: number;
}

/** One layer that one adapter changes. */
export interface AdapterCall {
  readonly module: MatchedModule;
  readonly place: LayerPlace;
  /** Which code of adapter-delta.wgsl. */
  readonly defines: { readonly KRONECKER: boolean; readonly HADAMARD: boolean; readonly HALF: boolean };
  /** Scalars of the shader but for the strength. */
  readonly params: Readonly<Record<string, number>>;
  readonly grid: readonly [number, number, number];
  /** Packed numbers. */
  readonly count: number;
  readonly factors: Range;
  readonly dora: DoraRanges | undefined;
  readonly flops: number;
}

export interface DoraRanges {
  readonly axis: "out" | "in";
  readonly grid: readonly [number, number, number];
  /** In the factors' buffers. */
  readonly magnitudes: Range;
  /** In a buffer of their own: magnitude over norm, made once. */
  readonly ratios: Omit<Range, "chunk">;
}

export interface AdapterPlan {
  readonly name: string;
  readonly match: NetworkMatch;
  readonly calls: readonly AdapterCall[];
  /** Sizes of the buffers of factors. */
  readonly chunkBytes: readonly number[];
  readonly ratioBytes: number;
  readonly uniformBytes: number;
}

const alignment = 256;
/** Factors share buffers of this size; a module of its own may need a larger one. */
const chunkSize = 64 * 2 ** 20;

/** Throws InputError `lora.tooLarge` if one layer's factors exceed what the GPU binds. */
export function planAdapter(match: NetworkMatch, places: WeightPlaces, limits: EngineLimits): AdapterPlan {
  const chunkBytes: number[] = [];
  const reserve = (bytes: number): Range => {
    const size = Math.ceil(bytes / alignment) * alignment;
    const last = chunkBytes.length - 1;
    const used = chunkBytes[last];
    if (used === undefined || used + size > chunkSize) return { chunk: chunkBytes.push(size) - 1, offset: 0, bytes };
    chunkBytes[last] = used + size;
    return { chunk: last, offset: used, bytes };
  };
  let ratioBytes = 0;
  const calls = match.modules.flatMap((module) =>
    places.of(module.target).map((place): AdapterCall => {
      const { source } = module;
      const half = isHalf(source);
      const count = packedCount(source, place);
      const factors = reserve(count * (half ? 2 : 4));
      if (factors.bytes > limits.maxStorageBufferBindingSize) throw tooLarge(match, module, factors.bytes, limits);
      const dora = source.magnitudes && doraRanges(source.magnitudes, place, reserve, ratioBytes);
      if (dora !== undefined) ratioBytes = Math.ceil((dora.ratios.offset + dora.ratios.bytes) / alignment) * alignment;
      return { module, place, ...shaderOf(module, place, half), count, factors, dora };
    }),
  );
  return { name: match.network.name, match, calls, chunkBytes, ratioBytes, uniformBytes: calls.length * uniformStride };
}

function shaderOf(
  { source }: MatchedModule,
  place: LayerPlace,
  half: boolean,
): Pick<AdapterCall, "defines" | "params" | "grid" | "flops"> {
  const { rows, rowStart, taps, channels, paddedChannels } = place;
  const form = deltaForm(source, taps);
  const cols4 = (taps * paddedChannels) / 4;
  const common = { rows, cols4, rowStart, channels4: paddedChannels / 4, scale: source.scale };
  const grid = spread(ceilDiv(rows, 4 * rowBlock) * ceilDiv(cols4, 16));
  if (typeof form !== "string") {
    const { a, b, c, d } = form;
    return {
      defines: { KRONECKER: true, HADAMARD: false, HALF: half },
      params: { ...common, channels, taps, b, c, d, second: a * c },
      grid,
      flops: rows * cols4 * 16,
    };
  }
  const products = form === "hadamard" ? 2 : 1;
  return {
    defines: { KRONECKER: false, HADAMARD: form === "hadamard", HALF: half },
    params: { ...common, rank: source.rank, rows4: paddedRows(rows) / 4 },
    grid,
    flops: products * 2 * source.rank * rows * cols4 * 4,
  };
}

function doraRanges(axis: "out" | "in", place: LayerPlace, reserve: (bytes: number) => Range, offset: number): DoraRanges {
  const count = axis === "out" ? paddedRows(place.rows) : place.paddedChannels;
  return {
    axis,
    grid: spread(axis === "out" ? count / rowBlock : count / 4),
    magnitudes: reserve(count * 4),
    ratios: { offset, bytes: count * 4 },
  };
}

/** Layers that lie on the same rows of the same tensor have the same key. */
export function siteKey({ tensor, rowStart }: LayerPlace): string {
  return `${tensor.name}@${rowStart}`;
}

/** Tensors that the plans touch, each once. */
export function touchedTensors(plans: readonly AdapterPlan[]): Tensor[] {
  const byName = new Map(plans.flatMap(({ calls }) => calls.map(({ place }): [string, Tensor] => [place.tensor.name, place.tensor])));
  return [...byName.values()];
}

/** f32 sums of the largest layer that several adapters change; 0 where none is shared. */
export function sumBytes(plans: readonly AdapterPlan[]): number {
  const seen = new Set<string>();
  let bytes = 0;
  for (const { place, params } of plans.flatMap(({ calls }) => calls)) {
    const key = siteKey(place);
    if (seen.has(key)) bytes = Math.max(bytes, place.rows * params["cols4"]! * 16);
    seen.add(key);
  }
  return bytes;
}

/** Bytes of a copy of a tensor. */
export function copyBytes(tensor: Tensor): number {
  return Math.ceil(byteLength(tensor) / 16) * 16;
}

/** GPU memory of all of these adapters together, beside the model itself. @param sums bytes that are there already */
export function adapterBytes(plans: readonly AdapterPlan[], sums = 0): number {
  const own = plans.map(({ chunkBytes, ratioBytes, uniformBytes }) => chunkBytes.reduce((a, b) => a + b, 0) + ratioBytes + uniformBytes);
  const copies = touchedTensors(plans).map(copyBytes);
  return [...own, ...copies].reduce((a, b) => a + b, Math.max(sums, sumBytes(plans)));
}

function tooLarge({ network }: NetworkMatch, { source }: MatchedModule, bytes: number, limits: EngineLimits): InputError {
  const limit = limits.maxStorageBufferBindingSize;
  const file = network.file.source.name;
  return new InputError(
    "lora.tooLarge",
    `${file} needs ${Math.ceil(bytes / 2 ** 20)} MiB in one piece for ${source.nameInFile}, and this GPU allows ${Math.floor(limit / 2 ** 20)} MiB: resize the adapter to a lower rank.`,
    { file, layer: source.nameInFile, bytes, limit },
  );
}
