/** ONNX Runtime in this browser: on WebGPU where that helps, on the CPU everywhere. */
import type { OnnxRuntime } from "../tagging/onnx-runtime.ts";
import { takeGpuRoom, type GpuLease } from "./gpu-room.ts";
import type { TagProvider } from "./tag-protocol.ts";
import { isAnyTabTraining } from "./train-lock.ts";

/** WebGPU needs a real adapter, and WebAssembly that can wait for it (JSPI: the other build is larger than some hosts allow). */
export async function hasTaggingGpu(): Promise<boolean> {
  if (!("Suspending" in WebAssembly) || !("gpu" in navigator)) return false;
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  return adapter !== null && !adapter.info.isFallbackAdapter;
}

/** The room that training and drawing share; undefined where one of them has it. */
export async function takeTaggingGpu(onwanted: () => void): Promise<GpuLease | undefined> {
  if (await isAnyTabTraining()) return undefined;
  return takeGpuRoom((by) => {
    if (by === "training") onwanted();
  }).catch(() => undefined);
}

export async function loadRuntime(provider: TagProvider): Promise<OnnxRuntime> {
  const ort = provider === "webgpu" ? await import("onnxruntime-web/jspi") : await import("onnxruntime-web/wasm");
  ort.env.logLevel = "fatal";
  // Threads need cross-origin isolation, and would start this very file again as theirs.
  ort.env.wasm.numThreads = 1;
  return ort;
}
