import { defineConfig } from "vitest/config";

/** unit: pure TypeScript, no GPU. gpu: needs a WebGPU adapter through Dawn for Node (scripts/test-gpu.mjs chooses it). */
export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["tests/unit/**/*.test.ts"], environment: "node" } },
      {
        test: {
          name: "gpu",
          include: ["tests/gpu/**/*.test.ts"],
          environment: "node",
          pool: "forks",
          // What one waits for (shaders being compiled, float64 references) is work of one core.
          maxWorkers: 2,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
