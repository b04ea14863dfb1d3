/** Compute pipelines by shader text: each distinct kernel is compiled once per device, in parallel with others. */
import { ShaderCompileError } from "../errors.ts";
import type { Gpu } from "../device.ts";
import type { RenderedShader } from "../wgsl.ts";

const caches = new WeakMap<Gpu, PipelineCache>();

/** The device's cache: the phases of a run, and one run after another, share what was compiled. */
export function pipelinesOf(gpu: Gpu): PipelineCache {
  let cache = caches.get(gpu);
  if (cache === undefined) caches.set(gpu, (cache = new PipelineCache(gpu)));
  return cache;
}

export class PipelineCache {
  readonly #gpu: Gpu;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
  }

  /** @throws ShaderCompileError with the driver's messages */
  get(label: string, shader: RenderedShader): Promise<GPUComputePipeline> {
    const known = this.#pipelines.get(shader.code);
    if (known !== undefined) return known;
    const pipeline = this.#compile(label, shader);
    this.#pipelines.set(shader.code, pipeline);
    return pipeline;
  }

  async #compile(label: string, { code, bindings, params }: RenderedShader): Promise<GPUComputePipeline> {
    const { device, counters } = this.#gpu;
    counters.pipelines++;
    counters.wgslBytes += code.length;
    const module = device.createShaderModule({ label, code });
    const entries: GPUBindGroupLayoutEntry[] = bindings.map(({ writable }, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: writable ? "storage" : "read-only-storage" },
    }));
    if (params.length > 0) {
      entries.push({ binding: bindings.length, visibility: GPUShaderStage.COMPUTE, buffer: { type: "uniform" } });
    }
    const layout = device.createPipelineLayout({ bindGroupLayouts: [device.createBindGroupLayout({ label, entries })] });
    try {
      return await device.createComputePipelineAsync({ label, layout, compute: { module, entryPoint: "main" } });
    } catch (error) {
      this.#gpu.check();
      const info = await module.getCompilationInfo();
      const messages = info.messages.map((m) => `${m.lineNum}:${m.linePos} ${m.message}`).join("\n");
      throw new ShaderCompileError(label, messages || String(error), code);
    }
  }
}
