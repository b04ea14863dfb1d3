/**
 * A compiled program: pipelines, bind groups and scalars made once, then replayed every step. Running it creates
 * nothing on the GPU.
 */
import { invariant } from "../../errors.ts";
import { byteLength, rootOf, type Tensor } from "../graph/tensor.ts";
import { uniformStride, type PlannedCall, type ProgramPlan } from "./plan.ts";
import type { Gpu } from "../device.ts";
import type { PipelineCache } from "./pipelines.ts";
import type { Residents } from "./residents.ts";

/** Arena buffers shared by all programs of a run: each as large as the neediest program wants it. */
export class Arena {
  readonly buffers: readonly GPUBuffer[];
  readonly #gpu: Gpu;

  private constructor(gpu: Gpu, buffers: readonly GPUBuffer[]) {
    this.#gpu = gpu;
    this.buffers = buffers;
  }

  static chunkBytes(plans: readonly ProgramPlan[]): number[] {
    const sizes: number[] = [];
    for (const { memory } of plans) memory.chunkBytes.forEach((bytes, i) => (sizes[i] = Math.max(bytes, sizes[i] ?? 0)));
    return sizes;
  }

  /** @throws OutOfMemoryError */
  static async allocate(gpu: Gpu, plans: readonly ProgramPlan[]): Promise<Arena> {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    return new Arena(gpu, await gpu.allocate("activations", Arena.chunkBytes(plans), usage));
  }

  get bytes(): number {
    return this.buffers.reduce((total, buffer) => total + buffer.size, 0);
  }

  destroy(): void {
    for (const buffer of this.buffers) this.#gpu.destroyBuffer(buffer);
  }
}

/** Where the tensors of programs are, and the pipelines that they share. */
export interface ProgramMemory {
  readonly residents: Pick<Residents, "locate">;
  readonly arena: Arena;
  readonly pipelines: PipelineCache;
}

interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly grid: readonly [number, number, number];
}

export interface RunOptions {
  /** Runs only these dispatches (per-op timing; the results mean nothing). */
  readonly only?: (call: PlannedCall) => boolean;
}

export class Program {
  readonly plan: ProgramPlan;
  readonly #gpu: Gpu;
  readonly #arena: Arena;
  readonly #uniforms: GPUBuffer;
  readonly #dispatches: readonly Dispatch[];
  /** End indices of the slices in which the dispatches are submitted. */
  readonly #slices: readonly number[];

  private constructor(
    gpu: Gpu,
    plan: ProgramPlan,
    arena: Arena,
    uniforms: GPUBuffer,
    dispatches: readonly Dispatch[],
    slices: readonly number[],
  ) {
    this.#gpu = gpu;
    this.plan = plan;
    this.#arena = arena;
    this.#uniforms = uniforms;
    this.#dispatches = dispatches;
    this.#slices = slices;
  }

  static async compile(
    gpu: Gpu,
    plan: ProgramPlan,
    memory: ProgramMemory,
    onProgress?: (done: number, total: number) => void,
  ): Promise<Program> {
    const uniformData = new ArrayBuffer(Math.max(uniformStride, plan.uniformBytes));
    plan.calls.forEach((call, i) => writeParams(new DataView(uniformData, i * uniformStride, uniformStride), call));
    const [uniforms] = await gpu.allocate(
      `${plan.name} scalars`,
      [uniformData.byteLength],
      GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    );
    invariant(uniforms !== undefined, "no uniform buffer");
    gpu.write(uniforms, 0, new Uint8Array(uniformData));

    let done = 0;
    const pipelines = await Promise.all(
      plan.calls.map(async (call) => {
        const pipeline = await memory.pipelines.get(call.kernel.name, call.shader);
        onProgress?.(++done, plan.calls.length);
        return pipeline;
      }),
    );
    const place = (tensor: Tensor): GPUBufferBinding => {
      const size = Math.ceil(byteLength(tensor) / 16) * 16;
      if (tensor.role !== "temp") {
        const { buffer, offset } = memory.residents.locate(tensor.name);
        return { buffer, offset, size };
      }
      const placement = plan.memory.placements.get(tensor);
      const buffer = placement && memory.arena.buffers[placement.chunk];
      invariant(placement !== undefined && buffer !== undefined, `${tensor.name} has no place`);
      return { buffer, offset: placement.offset, size };
    };
    const dispatches = plan.calls.map((call, i): Dispatch => {
      const pipeline = pipelines[i];
      invariant(pipeline !== undefined, "pipeline missing");
      const entries: GPUBindGroupEntry[] = call.tensors.map((tensor, binding) => ({ binding, resource: place(tensor) }));
      if (call.shader.params.length > 0) {
        entries.push({
          binding: call.tensors.length,
          resource: { buffer: uniforms, offset: i * uniformStride, size: uniformStride },
        });
      }
      gpu.counters.bindGroups++;
      const bindGroup = gpu.device.createBindGroup({
        label: `${call.node.scope}/${call.kernel.name}`,
        layout: pipeline.getBindGroupLayout(0),
        entries,
      });
      return { pipeline, bindGroup, grid: call.grid };
    });
    return new Program(gpu, plan, memory.arena, uniforms, dispatches, sliceCalls(plan.calls));
  }

  /**
   * Encodes and submits the step without waiting for it. Work goes out in slices, so that no single submission
   * comes near a watchdog and display work can get in between.
   */
  run(options: RunOptions = {}): void {
    const { only } = options;
    let start = 0;
    for (const end of this.#slices) {
      const encoder = this.#gpu.device.createCommandEncoder({ label: this.plan.name });
      const pass = encoder.beginComputePass({ label: this.plan.name });
      this.#gpu.counters.passes++;
      let current: GPUComputePipeline | undefined;
      for (let i = start; i < end; i++) {
        const dispatch = this.#dispatches[i];
        const call = this.plan.calls[i];
        if (dispatch === undefined || call === undefined || only?.(call) === false) continue;
        if (dispatch.pipeline !== current) {
          current = dispatch.pipeline;
          pass.setPipeline(current);
        }
        pass.setBindGroup(0, dispatch.bindGroup);
        pass.dispatchWorkgroups(...dispatch.grid);
      }
      pass.end();
      this.#gpu.submit([encoder.finish()]);
      start = end;
    }
  }

  /** Copies a kept temporary to the CPU after a run. */
  async readTemp(tensor: Tensor): Promise<ArrayBuffer> {
    const placement = this.plan.memory.placements.get(rootOf(tensor));
    const buffer = placement && this.#arena.buffers[placement.chunk];
    invariant(placement !== undefined && buffer !== undefined, `${tensor.name} is not in the arena`);
    return this.#gpu.read(buffer, placement.offset, byteLength(tensor));
  }

  destroy(): void {
    this.#gpu.destroyBuffer(this.#uniforms);
  }
}

/**
 * Cuts the call list so that a slice holds at most 60 GFLOP (well below 0.1 s on a small integrated GPU) and at most
 * 128 dispatches.
 */
export function sliceCalls(calls: readonly Pick<PlannedCall, "flops">[]): number[] {
  const maxFlops = 60e9;
  const maxCalls = 128;
  const slices: number[] = [];
  let flops = 0;
  let start = 0;
  calls.forEach((call, i) => {
    if (i > start && (flops + call.flops > maxFlops || i - start >= maxCalls)) {
      slices.push(i);
      start = i;
      flops = 0;
    }
    flops += call.flops;
  });
  slices.push(calls.length);
  return slices;
}

/** Puts a call's run-time scalars in the order of its shader. */
export function writeParams(view: DataView, call: Pick<PlannedCall, "shader" | "params">): void {
  call.shader.params.forEach(({ name, type }, i) => {
    const value = call.params[name] ?? 0;
    if (type === "f32") view.setFloat32(i * 4, value, true);
    else if (type === "i32") view.setInt32(i * 4, value, true);
    else view.setUint32(i * 4, value, true);
  });
}
