/**
 * What a device can do, and which kernel variants suit it. The one place where variants are chosen: models and ops
 * ask here and never look at the device themselves.
 */

/** The WebGPU limits that the engine plans with. */
export interface EngineLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly minStorageBufferOffsetAlignment: number;
  readonly minUniformBufferOffsetAlignment: number;
}

/** WebGPU's guaranteed limits: what every adapter outside of compatibility mode offers. */
export const defaultLimits: EngineLimits = {
  maxBufferSize: 256 * 2 ** 20,
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeWorkgroupsPerDimension: 65535,
  minStorageBufferOffsetAlignment: 256,
  minUniformBufferOffsetAlignment: 256,
};

export interface Tier {
  readonly limits: EngineLimits;
  /**
   * tiled: operands are staged in workgroup memory (real GPUs).
   * direct: register blocking only, no barriers in the matrix kernels; 1.5-3x faster on CPU rasterizers, where
   * workgroup memory is ordinary memory and a barrier is a context switch.
   */
  readonly matrixStyle: "tiled" | "direct";
  /** Invocations of a subgroup, where WGSL's subgroups may be used and all have the same size; otherwise 0. */
  readonly subgroupSize: number;
}

export const portableTier: Tier = { limits: defaultLimits, matrixStyle: "tiled", subgroupSize: 0 };

/** CPU implementations of WebGPU, by what they report in adapter.info. */
export function isSoftwareAdapter(info: { vendor: string; architecture: string; description: string }): boolean {
  return /swiftshader|llvmpipe|lavapipe|basic render|warp/i.test(`${info.vendor} ${info.architecture} ${info.description}`);
}

/** Splits a count of workgroups over x and y, since one dimension holds at most 65,535. */
export function spread(workgroups: number, limit = defaultLimits.maxComputeWorkgroupsPerDimension): [number, number, number] {
  if (workgroups <= limit) return [Math.max(1, workgroups), 1, 1];
  const y = Math.ceil(workgroups / limit);
  return [Math.ceil(workgroups / y), y, 1];
}

export function ceilDiv(a: number, b: number): number {
  return Math.ceil(a / b);
}
