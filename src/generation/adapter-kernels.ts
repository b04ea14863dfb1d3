/** The variants of the merge kernels, compiled when they are first needed. */
import { invariant } from "../errors.ts";
import type { Gpu } from "../gpu/device.ts";
import type { Defines } from "../gpu/graph/lower.ts";
import { pipelinesOf } from "../gpu/program/pipelines.ts";
import { renderWgsl, type RenderedShader } from "../gpu/wgsl.ts";
import deltaSource from "../gpu/kernels/adapter-delta.wgsl?raw";
import mergeSource from "../gpu/kernels/adapter-merge.wgsl?raw";
import normSource from "../gpu/kernels/adapter-norm.wgsl?raw";
import type { AdapterCall } from "./adapter-plan.ts";

export interface Kernel {
  readonly shader: RenderedShader;
  readonly pipeline: GPUComputePipeline;
}

/** A call's place among the adapters that change one layer, one after the other. */
export interface ChainLink {
  /** Starts from the base; otherwise from the sums so far. */
  readonly first: boolean;
  /** Ends in the weights; otherwise in the sums. */
  readonly last: boolean;
}

/** The links that a call may be when `count` adapters can change its layer. */
function possibleLinks(count: number): ChainLink[] {
  const links = [{ first: true, last: true }];
  if (count > 1) links.push({ first: true, last: false }, { first: false, last: true });
  if (count > 2) links.push({ first: false, last: false });
  return links;
}

export class AdapterKernels {
  readonly #gpu: Gpu;
  readonly #kernels = new Map<string, Kernel>();

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** Compiles what is needed for these calls to change one layer, in any mix. @throws ShaderCompileError */
  async prepareMerge(calls: readonly AdapterCall[]): Promise<void> {
    const links = possibleLinks(calls.length);
    await Promise.all(calls.flatMap((call) => links.map((link) => this.#compile("adapter-merge", mergeSource, mergeDefines(call, link)))));
  }

  /** A variant that was prepared. */
  merge(call: AdapterCall, link: ChainLink): Kernel {
    const kernel = this.#kernels.get(keyOf("adapter-merge", mergeDefines(call, link)));
    invariant(kernel !== undefined, "the merge kernel was prepared");
    return kernel;
  }

  async norm(call: AdapterCall): Promise<Kernel> {
    return this.#compile("adapter-norm", normSource, { ...call.defines, BY_CHANNEL: call.dora?.axis === "in" });
  }

  async #compile(name: string, source: string, defines: Defines): Promise<Kernel> {
    const key = keyOf(name, defines);
    const known = this.#kernels.get(key);
    if (known !== undefined) return known;
    const shader = renderWgsl(`${deltaSource}\n${source}`, defines);
    const kernel = { shader, pipeline: await pipelinesOf(this.#gpu).get(name, shader) };
    this.#kernels.set(key, kernel);
    return kernel;
  }
}

function mergeDefines({ defines, dora }: AdapterCall, { first, last }: ChainLink): Defines {
  return { ...defines, DORA: dora !== undefined, BY_CHANNEL: dora?.axis === "in", FROM_BASE: first, TO_WEIGHTS: last };
}

function keyOf(name: string, defines: Defines): string {
  return `${name} ${JSON.stringify(defines)}`;
}
