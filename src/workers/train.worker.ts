/** Entry point of the training worker. */
import { EngineBackend } from "./engine-backend.ts";
import { serveTraining } from "./serve-training.ts";
import { webgpuEngine } from "./webgpu-engine.ts";

serveTraining(new EngineBackend(webgpuEngine()));
