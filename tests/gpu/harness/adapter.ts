/** Opens the adapter under test. scripts/test-gpu.mjs picks the driver through VK_ICD_FILENAMES. */
import { dawnGpu } from "../../../src/cli/dawn.ts";
import { openGpu, type Gpu, type GpuOptions } from "../../../src/gpu/device.ts";

export async function openTestGpu(options: GpuOptions = {}): Promise<Gpu> {
  return openGpu(dawnGpu(), options);
}
