/** ONNX Runtime in this browser: on WebGPU where that helps, on the CPU everywhere. */
import type { OnnxRuntime } from "../tagging/onnx-tagger.ts";
import type { TagProvider } from "./tag-protocol.ts";
import { isAnyTabTraining } from "./train-lock.ts";

/**
 * WebGPU needs a real adapter, WebAssembly that can wait for it (JSPI: the other build is larger than some hosts
 * allow), and that no run is using the GPU.
 */
export async function taggingProviders(): Promise<readonly TagProvider[]> {
  const canWait = "Suspending" in WebAssembly;
  if (!canWait || !("gpu" in navigator) || (await isAnyTabTraining())) return ["wasm"];
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  return adapter === null || adapter.info.isFallbackAdapter ? ["wasm"] : ["webgpu", "wasm"];
}

export async function loadRuntime(provider: TagProvider): Promise<OnnxRuntime> {
  const ort = provider === "webgpu" ? await import("onnxruntime-web/jspi") : await import("onnxruntime-web/wasm");
  ort.env.logLevel = "fatal";
  // Threads need cross-origin isolation, and would start this very file again as theirs.
  ort.env.wasm.numThreads = 1;
  return ort;
}
