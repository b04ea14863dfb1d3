#!/usr/bin/env node
// npm run bench [-- --quick --filter gemm --json]: per-op times of our engine beside tfjs and jax-js, same adapter,
// same process, and what a training step counts (dispatches, submits, bytes).
// npm run bench -- --model sd15.safetensors [--side 512 --batches 1,4]: whole training steps with the share by op.
// VK_ICD_FILENAMES chooses the driver; without it and without a GPU, lavapipe is used if installed.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { createServer } from "vite";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    filter: { type: "string", default: "" },
    model: { type: "string" },
    side: { type: "string", default: "512" },
    batches: { type: "string", default: "1,4" },
  },
});

const lavapipe = "/usr/share/vulkan/icd.d/lvp_icd.json";
const hasGpu = existsSync("/dev/dri") || existsSync("/dev/nvidia0") || process.platform !== "linux";
if (process.env.VK_ICD_FILENAMES === undefined && !hasGpu && existsSync(lavapipe)) {
  process.env.VK_ICD_FILENAMES = lavapipe;
}

// tfjs's ES sources expect to be bundled and call require.
globalThis.require = createRequire(import.meta.url);

// Vite only resolves TypeScript and `?raw` shader imports here; nothing is served.
const vite = await createServer({
  configFile: false,
  logLevel: "error",
  appType: "custom",
  server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  optimizeDeps: { noDiscovery: true },
  // tfjs registers its gradients in a module that only its ES sources have, without file extensions.
  ssr: { noExternal: [/^@tensorflow\//] },
});
try {
  const { main } = await vite.ssrLoadModule("/bench/main.ts");
  await main({ ...values, side: Number(values.side), batches: values.batches.split(",").map(Number) });
} finally {
  await vite.close();
}
// Dawn keeps its threads alive.
process.exit(process.exitCode ?? 0);
