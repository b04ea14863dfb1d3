/**
 * One GPU device: asks for what the adapter offers, counts what is created, and turns the several ways in which
 * WebGPU reports failure into typed errors.
 */
import { AdapterLimitError, DeviceLostError, NoWebGpuError, OutOfMemoryError } from "./errors.ts";
import { defaultLimits, isSoftwareAdapter, type EngineLimits, type Tier } from "./tier.ts";

export interface GpuInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  /** A CPU pretending to be a GPU: right results, very slow. */
  readonly isSoftware: boolean;
  readonly hasShaderF16: boolean;
  readonly hasSubgroups: boolean;
}

export interface GpuCounters {
  buffers: number;
  bufferBytes: number;
  bindGroups: number;
  pipelines: number;
  wgslBytes: number;
  submits: number;
  passes: number;
  writeBytes: number;
  readBytes: number;
}

export interface GpuOptions {
  /** Use WebGPU's guaranteed limits even where the adapter offers more (tests of the portable tier). */
  readonly defaultLimitsOnly?: boolean;
  readonly matrixStyle?: Tier["matrixStyle"];
}

const limitNames = Object.keys(defaultLimits) as (keyof EngineLimits)[];
const isAlignment = (name: string): boolean => name.startsWith("min");

export class Gpu {
  readonly device: GPUDevice;
  readonly info: GpuInfo;
  readonly tier: Tier;
  readonly counters: GpuCounters = {
    buffers: 0,
    bufferBytes: 0,
    bindGroups: 0,
    pipelines: 0,
    wgslBytes: 0,
    submits: 0,
    passes: 0,
    writeBytes: 0,
    readBytes: 0,
  };
  /** Resolves when the device is gone, with the error to throw. Never rejects. */
  readonly lost: Promise<DeviceLostError>;
  #lostError: DeviceLostError | undefined;
  #uncaptured: Error | undefined;

  constructor(device: GPUDevice, info: GpuInfo, tier: Tier) {
    this.device = device;
    this.info = info;
    this.tier = tier;
    this.lost = device.lost.then((lost) => {
      this.#lostError = new DeviceLostError(lost.message || lost.reason || "unknown");
      return this.#lostError;
    });
    device.onuncapturederror = (event) => {
      this.#uncaptured ??= new Error(event.error.message);
    };
  }

  /** Throws if the device was lost or reported an error that nobody was waiting for. */
  check(): void {
    if (this.#lostError !== undefined) throw this.#lostError;
    if (this.#uncaptured !== undefined) {
      const error = this.#uncaptured;
      this.#uncaptured = undefined;
      throw error;
    }
  }

  createBuffer(label: string, size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    this.counters.buffers++;
    this.counters.bufferBytes += size;
    return this.device.createBuffer({ label, size, usage });
  }

  /** Releases a buffer made by createBuffer. */
  destroyBuffer(buffer: GPUBuffer): void {
    this.counters.buffers--;
    this.counters.bufferBytes -= buffer.size;
    buffer.destroy();
  }

  /** Creates buffers, all or none; running out of memory is a typed error. */
  async allocate(what: string, sizes: readonly number[], usage: GPUBufferUsageFlags): Promise<GPUBuffer[]> {
    const total = sizes.reduce((a, b) => a + b, 0);
    this.device.pushErrorScope("out-of-memory");
    this.device.pushErrorScope("validation");
    let thrown: unknown;
    const buffers: GPUBuffer[] = [];
    try {
      sizes.forEach((size, i) => buffers.push(this.createBuffer(`${what}[${i}]`, size, usage)));
    } catch (error) {
      thrown = error;
    }
    const validation = await this.device.popErrorScope();
    const memory = await this.device.popErrorScope();
    this.check();
    if (memory !== null || validation !== null || thrown !== undefined) {
      for (const buffer of buffers) this.destroyBuffer(buffer);
      throw new OutOfMemoryError(what, total);
    }
    return buffers;
  }

  write(buffer: GPUBuffer, offset: number, data: ArrayBufferView<ArrayBuffer>): void {
    this.counters.writeBytes += data.byteLength;
    this.device.queue.writeBuffer(buffer, offset, data.buffer, data.byteOffset, data.byteLength);
  }

  /** Copies `bytes` bytes of a buffer to the CPU. Creates a staging buffer: not for the step loop. */
  async read(buffer: GPUBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    const size = Math.ceil(bytes / 4) * 4;
    const staging = this.createBuffer("readback", size, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ);
    try {
      const encoder = this.device.createCommandEncoder({ label: "readback" });
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
      this.submit([encoder.finish()]);
      await this.map(staging);
      const copy = staging.getMappedRange().slice(0, bytes);
      this.counters.readBytes += bytes;
      return copy;
    } finally {
      this.destroyBuffer(staging);
    }
  }

  /** Maps a buffer for reading; a lost device is the typed error. */
  async map(buffer: GPUBuffer): Promise<void> {
    try {
      await buffer.mapAsync(GPUMapMode.READ);
    } catch (error) {
      await Promise.race([this.lost, new Promise((resolve) => setTimeout(resolve, 50))]);
      this.check();
      throw error;
    }
    this.check();
  }

  submit(commands: GPUCommandBuffer[]): void {
    this.counters.submits++;
    this.device.queue.submit(commands);
  }

  /** Waits until everything submitted so far has run. */
  async idle(): Promise<void> {
    await Promise.race([this.device.queue.onSubmittedWorkDone(), this.lost]);
    this.check();
  }

  destroy(): void {
    this.device.destroy();
  }
}

/**
 * Requests an adapter and a device with all the limits that the engine can use.
 * @throws NoWebGpuError, AdapterLimitError
 */
export async function openGpu(gpu: GPU | undefined, options: GpuOptions = {}): Promise<Gpu> {
  const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) throw new NoWebGpuError();
  for (const name of limitNames) {
    const offered = adapter.limits[name];
    const needed = defaultLimits[name];
    if (isAlignment(name) ? offered > needed : offered < needed) throw new AdapterLimitError(name, needed, offered);
  }
  const wanted: Partial<Record<keyof EngineLimits, number>> = {};
  if (options.defaultLimitsOnly !== true) {
    // 1 GiB buffers hold any tensor we make; asking for 4 GiB only invites allocation failures.
    wanted.maxBufferSize = Math.min(adapter.limits.maxBufferSize, 2 ** 30);
    wanted.maxStorageBufferBindingSize = Math.min(adapter.limits.maxStorageBufferBindingSize, 2 ** 30);
  }
  const hasShaderF16 = adapter.features.has("shader-f16");
  const hasSubgroups = adapter.features.has("subgroups");
  const features: GPUFeatureName[] = [];
  if (options.defaultLimitsOnly !== true) {
    if (hasShaderF16) features.push("shader-f16");
    if (hasSubgroups) features.push("subgroups");
  }
  const device = await adapter.requestDevice({
    label: "lorasmith",
    requiredLimits: wanted,
    requiredFeatures: features,
  });
  const limits = { ...defaultLimits };
  // Alignments stay at the default on purpose: plans are then the same on every device.
  for (const name of limitNames) if (!isAlignment(name)) limits[name] = device.limits[name];
  const { vendor, architecture, description } = adapter.info;
  const isSoftware = isSoftwareAdapter({ vendor, architecture, description });
  const info: GpuInfo = {
    vendor,
    architecture,
    description,
    isSoftware,
    hasShaderF16,
    hasSubgroups,
  };
  const { subgroupMinSize, subgroupMaxSize } = adapter.info;
  const subgroupSize = features.includes("subgroups") && subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0;
  const matrixStyle = options.matrixStyle ?? (isSoftware ? "direct" : "tiled");
  return new Gpu(device, info, { limits, matrixStyle, subgroupSize });
}
