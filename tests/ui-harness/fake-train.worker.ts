import { EngineBackend } from "../../src/workers/engine-backend.ts";
import { serveTraining } from "../../src/workers/serve-training.ts";
import type { GpuReport } from "../../src/workers/train-protocol.ts";
import { fakeEngine } from "./fake-engine.ts";

/** The product's backend with the deterministic engine; the GPU comes from the worker's name, see `main.ts`. */
class HarnessBackend extends EngineBackend {
  readonly #options = new URLSearchParams(self.name);

  override gpu = async (): Promise<GpuReport> => {
    const kind = this.#options.get("gpu");
    if (kind === "none") return { status: "missing", reason: "noWebGpu" };
    const name = "NVIDIA GeForce RTX 4060";
    if (kind === "small") {
      return { status: "insufficient", name, limit: "maxStorageBufferBindingSize", required: 2 ** 27, actual: 2 ** 26 };
    }
    const isSoftware = kind === "software";
    return { status: "ready", name: isSoftware ? "SwiftShader" : name, isSoftware, hasF16: !isSoftware, maxBindingBytes: 2 ** 30 };
  };
}

serveTraining(new HarnessBackend(fakeEngine));
