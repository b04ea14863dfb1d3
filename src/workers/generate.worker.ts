/** Entry point of the generation worker. */
import { serveGeneration } from "./serve-generation.ts";
import { webgpuGenerateEngine } from "./webgpu-generate-engine.ts";

serveGeneration(webgpuGenerateEngine());
