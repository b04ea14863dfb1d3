/** What can go wrong with the GPU, each with what to do about it. */
import { LorasmithError } from "../errors.ts";

export class NoWebGpuError extends LorasmithError {
  constructor() {
    super(
      "gpu.none",
      "No WebGPU adapter was found: use Chrome or Edge 113+, Safari 26+, or Firefox 141+ on Windows, with a current graphics driver",
    );
  }
}

export class AdapterLimitError extends LorasmithError {
  constructor(limit: string, needed: number, offered: number) {
    super("gpu.limit", `This GPU offers ${limit} = ${offered}, Lorasmith needs at least ${needed}: use another browser, driver or GPU`, {
      limit,
      needed,
      offered,
    });
  }
}

export class OutOfMemoryError extends LorasmithError {
  constructor(what: string, bytes: number) {
    super(
      "gpu.outOfMemory",
      `The GPU ran out of memory while allocating ${what} (${Math.ceil(bytes / 2 ** 20)} MiB): close other programs, turn on gradient_checkpointing, or lower the resolution, batch size or network_dim`,
      { what, bytes },
    );
  }
}

export class DeviceLostError extends LorasmithError {
  constructor(reason: string) {
    super("gpu.deviceLost", `The graphics driver restarted or took the GPU away (${reason})`, { reason });
  }
}

export class ShaderCompileError extends LorasmithError {
  constructor(kernel: string, messages: string, source: string) {
    super("gpu.shader", `The GPU driver rejected kernel ${kernel}:\n${messages}`, { kernel, messages, source });
  }
}
