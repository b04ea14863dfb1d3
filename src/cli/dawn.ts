/** WebGPU in Node through Dawn (npm `webgpu`). */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { create, globals } from "webgpu";
import { LorasmithError } from "../errors.ts";
import { openGpu, type Gpu, type GpuOptions } from "../gpu/device.ts";
import { NoWebGpuError } from "../gpu/errors.ts";

let instance: GPU | undefined;

/** The process-wide WebGPU instance; also installs the WebGPU constants (GPUBufferUsage, …) as globals. */
export function dawnGpu(): GPU {
  instance ??= createDawn();
  return instance;
}

function createDawn(): GPU {
  Object.assign(globalThis, globals);
  return create([]);
}

/**
 * Opens the machine's GPU. Where there is none and no Vulkan driver was named (`VK_ICD_FILENAMES`), software drivers
 * that are installed but not registered are tried: right results, very slow.
 * @throws LorasmithError `gpu.none`, AdapterLimitError
 */
export async function openNodeGpu(options: GpuOptions = {}): Promise<Gpu> {
  const drivers = process.env["VK_ICD_FILENAMES"] === undefined ? softwareDrivers() : [];
  for (;;) {
    try {
      return await openGpu(dawnGpu(), options);
    } catch (error) {
      if (!(error instanceof NoWebGpuError)) throw error;
      const driver = drivers.shift();
      if (driver === undefined) throw noAdapter();
      // The Vulkan loader reads this when Dawn makes its next instance.
      process.env["VK_ICD_FILENAMES"] = driver;
      instance = createDawn();
    }
  }
}

/** Manifests of software Vulkan drivers on this machine, fastest first. */
export function softwareDrivers(): string[] {
  const icdFolder = "/usr/share/vulkan/icd.d";
  const lavapipe = existsSync(icdFolder) ? readdirSync(icdFolder).filter((name) => /^lvp_icd.*\.json$/.test(name)) : [];
  const browsers = ["/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"];
  const swiftShader = browsers.map((folder) => join(folder, "vk_swiftshader_icd.json")).filter((path) => existsSync(path));
  return [...lavapipe.map((name) => join(icdFolder, name)), ...swiftShader];
}

function noAdapter(): LorasmithError {
  return new LorasmithError(
    "gpu.none",
    "No GPU was found. Install the Vulkan driver of your GPU, or Mesa's software driver " +
      "(Debian: apt install mesa-vulkan-drivers), which is right but very slow",
  );
}

/** One line about the adapter in use. */
export function describeGpu({ info }: Gpu): string {
  const name = info.description || [info.vendor, info.architecture].filter(Boolean).join(" ") || "unknown";
  return info.isSoftware ? `${name} (software: computed on the CPU, very slow)` : name;
}
