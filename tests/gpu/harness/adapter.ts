/**
 * Opens the adapter under test. scripts/test-gpu.mjs picks the driver through VK_ICD_FILENAMES and names it in
 * LORASMITH_ADAPTER: lavapipe, swiftshader or gpu.
 */
import { dawnGpu } from "../../../src/cli/dawn.ts";
import { openGpu, type Gpu, type GpuOptions } from "../../../src/gpu/device.ts";

export async function openTestGpu(options: GpuOptions = {}): Promise<Gpu> {
  return openGpu(dawnGpu(), options);
}

/** SwiftShader takes 4 to 20 times as long as lavapipe: tests of more than a minute are left to the others. */
export const isSlowAdapter = process.env["LORASMITH_ADAPTER"] === "swiftshader";
