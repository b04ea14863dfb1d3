import { defaultLimits, isSoftwareAdapter } from "../gpu/tier.ts";
import type { EngineLimits } from "../gpu/tier.ts";
import type { GpuReport } from "./train-protocol.ts";

/** Looks at the adapter without taking a device, so that nothing is held before a run. */
export async function inspectGpu(): Promise<GpuReport> {
  // Typed as always there; browsers without WebGPU and insecure pages do not have it.
  const gpu = navigator.gpu as GPU | undefined;
  if (gpu === undefined) return { status: "missing", reason: "noWebGpu" };
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
  if (adapter === null) return { status: "missing", reason: "noAdapter" };
  const { vendor, architecture, device, description } = adapter.info;
  const name = description || device || [vendor, architecture].filter((word) => word !== "").join(" ") || "GPU";
  for (const limit of Object.keys(defaultLimits) as (keyof EngineLimits)[]) {
    const required = defaultLimits[limit];
    const actual = adapter.limits[limit];
    const isEnough = limit.startsWith("min") ? actual <= required : actual >= required;
    if (!isEnough) return { status: "insufficient", name, limit, required, actual };
  }
  return {
    status: "ready",
    name,
    isSoftware: isSoftwareAdapter({ vendor, architecture, description }),
    hasF16: adapter.features.has("shader-f16"),
    maxBindingBytes: adapter.limits.maxStorageBufferBindingSize,
  };
}
