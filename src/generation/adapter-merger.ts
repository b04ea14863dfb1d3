/**
 * Adds adapters to a loaded model's weights on the GPU: W' = f16(W + Σ strength · difference), each time from the
 * base's own bytes, so that nothing wears off when weights move, and weight 0 is the base.
 *
 * The base's bytes are kept for the tensors that some adapter touches, as long as it is here. One adapter on a layer
 * is one dispatch; several add up in f32 before the one rounding.
 */
import { invariant } from "../errors.ts";
import type { WeightSource } from "../gpu/graph/graph.ts";
import type { Tensor } from "../gpu/graph/tensor.ts";
import type { Gpu } from "../gpu/device.ts";
import { writeParams } from "../gpu/program/program.ts";
import type { Residents } from "../gpu/program/residents.ts";
import type { NetworkMatch } from "../lora/network-match.ts";
import type { WeightShapes } from "../models/model-builder.ts";
import { AdapterKernels, type ChainLink, type Kernel } from "./adapter-kernels.ts";
import { bindCall, copyBase, restoreBase, runDispatches, type Dispatch, type LoadedCall } from "./adapter-dispatch.ts";
import { LoadedAdapter, noStrength, type Strengths } from "./adapter-memory.ts";
import { adapterBytes, copyBytes, planAdapter, siteKey, sumBytes, touchedTensors, type AdapterCall, type AdapterPlan } from "./adapter-plan.ts";
import { WeightPlaces, type LayerPlace } from "./adapter-places.ts";
import type { AdapterWeight } from "./request.ts";

/** A layer and the adapters that change it. */
interface Site {
  readonly place: LayerPlace;
  readonly members: Member[];
  /** What the weights hold now: members with their strengths; empty is the base. */
  mix: string;
}

interface Member extends LoadedCall {
  readonly bindGroups: Map<Kernel, GPUBindGroup>;
}

export interface AddOptions {
  readonly signal?: AbortSignal;
}

export class AdapterMerger {
  readonly #gpu: Gpu;
  readonly #residents: Residents;
  readonly #places: WeightPlaces;
  readonly #kernels: AdapterKernels;
  readonly #adapters = new Map<string, LoadedAdapter>();
  readonly #sites = new Map<string, Site>();
  /** Base bytes of touched tensors, by tensor name. */
  readonly #copies = new Map<string, GPUBuffer>();
  /** Where several adapters add up before the rounding. */
  #sums: GPUBuffer | undefined;
  #isAdding = false;

  /**
   * To be made when the base's weights are loaded.
   * @param weights of every graph that runs on these residents
   * @param shapes of the checkpoint
   */
  constructor(gpu: Gpu, residents: Residents, weights: ReadonlyMap<Tensor, WeightSource>, shapes: WeightShapes) {
    this.#gpu = gpu;
    this.#residents = residents;
    this.#places = new WeightPlaces(weights, shapes);
    this.#kernels = new AdapterKernels(gpu);
  }

  /** Names of the adapters that are loaded. */
  get names(): readonly string[] {
    return [...this.#adapters.keys()];
  }

  /** GPU memory held beside the model. */
  get bytes(): number {
    const copies = [...this.#copies.values()].reduce((total, { size }) => total + size, this.#sums?.size ?? 0);
    return [...this.#adapters.values()].reduce((total, adapter) => total + adapter.bytes, copies);
  }

  /** What `bytes` would be with these adapters added: the forecast. */
  bytesWith(matches: readonly NetworkMatch[]): number {
    const more = matches.map((match) => planAdapter(match, this.#places, this.#gpu.tier.limits));
    return adapterBytes([...this.#plans(), ...more], this.#sums?.size);
  }

  /**
   * Loads an adapter, acting with weight 0. One at a time; a name only once.
   * Throws InputError (`lora.notFinite`, `lora.tooLarge`), OutOfMemoryError, DeviceLostError or the signal's reason,
   * and is then as it was before.
   */
  async add(match: NetworkMatch, options: AddOptions = {}): Promise<void> {
    const plan = planAdapter(match, this.#places, this.#gpu.tier.limits);
    invariant(!this.#isAdding, "adapters are added one at a time");
    invariant(!this.#adapters.has(plan.name), `the adapter ${plan.name} is loaded`);
    this.#isAdding = true;
    let adapter: LoadedAdapter | undefined;
    const fresh = new Map<string, GPUBuffer>();
    try {
      const newTensors = touchedTensors([plan]).filter(({ name }) => !this.#copies.has(name));
      const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
      const buffers = await this.#gpu.allocate("base weights under adapters", newTensors.map(copyBytes), usage);
      newTensors.forEach(({ name }, i) => fresh.set(name, buffers[i]!));
      adapter = await LoadedAdapter.load(this.#gpu, plan, options.signal);
      await this.#prepareKernels(adapter);
      await this.#reserveSums(sumBytes([...this.#plans(), plan]));
      copyBase(this.#gpu, this.#residents, fresh);
      await this.#makeRatios(adapter, (name) => fresh.get(name) ?? this.#copies.get(name));
      await this.#gpu.idle();
      options.signal?.throwIfAborted();
    } catch (error) {
      for (const buffer of fresh.values()) this.#gpu.destroyBuffer(buffer);
      adapter?.destroy();
      this.#dropUnused();
      throw error;
    } finally {
      this.#isAdding = false;
    }
    for (const [name, buffer] of fresh) this.#copies.set(name, buffer);
    this.#register(adapter);
  }

  /** Takes an adapter out of the weights and frees its memory. */
  remove(name: string): void {
    const adapter = this.#adapters.get(name);
    invariant(adapter !== undefined, `the adapter ${name} is not loaded`);
    this.#apply(new Map([...this.#adapters.values()].map((other) => [other, other === adapter ? noStrength : other.strengths])));
    this.#adapters.delete(name);
    for (const [key, site] of this.#sites) {
      const at = site.members.findIndex((member) => member.adapter === adapter);
      if (at >= 0) site.members.splice(at, 1);
      if (site.members.length === 0) this.#sites.delete(key);
    }
    adapter.destroy();
    this.#dropUnused();
  }

  /**
   * Makes the weights hold this mix: layers whose part of it changed are computed again, in the queue before whatever
   * is submitted next. Adapters that are not named act with weight 0; several entries of one name add up.
   */
  setWeights(weights: readonly AdapterWeight[]): void {
    const strengths = new Map<LoadedAdapter, Strengths>();
    for (const adapter of this.#adapters.values()) strengths.set(adapter, noStrength);
    for (const { name, unet, textEncoder } of weights) {
      const adapter = this.#adapters.get(name);
      invariant(adapter !== undefined, `the adapter ${name} is not loaded`);
      const { unet: u, textEncoder: t } = strengths.get(adapter) ?? noStrength;
      strengths.set(adapter, { unet: u + unet, textEncoder: t + textEncoder });
    }
    this.#apply(strengths);
  }

  /** Frees everything. The weights keep what they hold. */
  destroy(): void {
    for (const adapter of this.#adapters.values()) adapter.destroy();
    this.#adapters.clear();
    this.#sites.clear();
    this.#dropUnused();
  }

  #register(adapter: LoadedAdapter): void {
    this.#adapters.set(adapter.plan.name, adapter);
    adapter.plan.calls.forEach((call, index) => {
      const key = siteKey(call.place);
      const site = this.#sites.get(key) ?? { place: call.place, members: [], mix: "" };
      site.members.push({ adapter, call, index, bindGroups: new Map() });
      this.#sites.set(key, site);
    });
  }

  async #prepareKernels({ plan }: LoadedAdapter): Promise<void> {
    const membersAt = (call: AdapterCall): readonly Member[] => this.#sites.get(siteKey(call.place))?.members ?? [];
    await Promise.all(plan.calls.map((call) => this.#kernels.prepareMerge([call, ...membersAt(call).map((member) => member.call)])));
  }

  #plans(): AdapterPlan[] {
    return [...this.#adapters.values()].map(({ plan }) => plan);
  }

  async #reserveSums(bytes: number): Promise<void> {
    if (bytes <= (this.#sums?.size ?? 0)) return;
    const [sums] = await this.#gpu.allocate("sums of adapters", [bytes], GPUBufferUsage.STORAGE);
    this.#replaceSums(sums);
  }

  #replaceSums(sums: GPUBuffer | undefined): void {
    if (this.#sums !== undefined) this.#gpu.destroyBuffer(this.#sums);
    this.#sums = sums;
    for (const site of this.#sites.values()) for (const member of site.members) member.bindGroups.clear();
  }

  /** Frees copies of the base that no adapter needs, and the sums once no layer is shared. */
  #dropUnused(): void {
    const plans = this.#plans();
    const needed = new Set(touchedTensors(plans).map(({ name }) => name));
    for (const [name, buffer] of this.#copies) {
      if (needed.has(name)) continue;
      this.#gpu.destroyBuffer(buffer);
      this.#copies.delete(name);
    }
    if (sumBytes(plans) === 0) this.#replaceSums(undefined);
  }

  /** DoRA: the norms depend on the base and the adapter alone, so they are made once. */
  async #makeRatios(adapter: LoadedAdapter, copyOf: (name: string) => GPUBuffer | undefined): Promise<void> {
    const dispatches: Dispatch[] = [];
    for (const [index, call] of adapter.plan.calls.entries()) {
      if (call.dora === undefined) continue;
      const kernel = await this.#kernels.norm(call);
      adapter.writeScalars(index, (view) => writeParams(view, { shader: kernel.shader, params: { ...call.params, strength: 0 } }));
      const base = copyOf(call.place.tensor.name);
      invariant(base !== undefined, "the base was copied");
      const bindGroup = bindCall(this.#gpu, this.#residents, kernel, { adapter, call, index }, base);
      dispatches.push({ kernel, bindGroup, grid: call.dora.grid, flops: call.flops });
    }
    adapter.uploadScalars();
    runDispatches(this.#gpu, dispatches);
  }

  #apply(strengths: ReadonlyMap<LoadedAdapter, Strengths>): void {
    this.#gpu.check();
    const restored: LayerPlace[] = [];
    const dispatches: Dispatch[] = [];
    for (const site of this.#sites.values()) {
      const active = site.members.filter((member) => strengthOf(member, strengths) !== 0);
      const mix = active.map((member) => `${member.adapter.plan.name}*${strengthOf(member, strengths)}`).join(" + ");
      if (mix === site.mix) continue;
      site.mix = mix;
      if (active.length === 0) restored.push(site.place);
      active.forEach((member, i) => {
        const link: ChainLink = { first: i === 0, last: i === active.length - 1 };
        dispatches.push(this.#dispatch(member, link, strengthOf(member, strengths)));
      });
    }
    for (const [adapter, of] of strengths) {
      adapter.strengths = of;
      adapter.uploadScalars();
    }
    restoreBase(this.#gpu, this.#residents, this.#copies, restored);
    runDispatches(this.#gpu, dispatches);
  }

  #dispatch(member: Member, link: ChainLink, strength: number): Dispatch {
    const { adapter, call, index, bindGroups } = member;
    const kernel = this.#kernels.merge(call, link);
    let bindGroup = bindGroups.get(kernel);
    if (bindGroup === undefined) {
      const base = this.#copies.get(call.place.tensor.name);
      invariant(base !== undefined, "the base was copied");
      bindGroup = bindCall(this.#gpu, this.#residents, kernel, member, base, this.#sums);
      bindGroups.set(kernel, bindGroup);
    }
    adapter.writeScalars(index, (view) => writeParams(view, { shader: kernel.shader, params: { ...call.params, strength } }));
    return { kernel, bindGroup, grid: call.grid, flops: call.flops };
  }

}

function strengthOf({ adapter, call }: Member, strengths: ReadonlyMap<LoadedAdapter, Strengths>): number {
  return strengths.get(adapter)?.[call.module.target.part] ?? 0;
}
