/** WebGPU in Node through Dawn (npm `webgpu`). */
import { create, globals } from "webgpu";

let instance: GPU | undefined;

/** The process-wide WebGPU instance; also installs the WebGPU constants (GPUBufferUsage, …) as globals. */
export function dawnGpu(): GPU {
  if (instance === undefined) {
    Object.assign(globalThis, globals);
    instance = create([]);
  }
  return instance;
}
