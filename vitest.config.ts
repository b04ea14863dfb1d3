import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

/** unit: pure TypeScript, no GPU. gpu: needs a WebGPU adapter through Dawn for Node (scripts/test-gpu.mjs chooses it). */
export default defineConfig({
  test: {
    projects: [
      {
        // The page's state in `.svelte.ts` is tested as a browser runs it.
        plugins: [svelte()],
        resolve: { conditions: ["browser"] },
        test: { name: "unit", include: ["tests/unit/**/*.test.ts"], environment: "node" },
      },
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
