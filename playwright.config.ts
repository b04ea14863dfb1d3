import { defineConfig } from "playwright/test";

const port = 4174;

/** Browser tests: the built page in a Chromium whose WebGPU runs in software. scripts/test-e2e.mjs starts them. */
export default defineConfig({
  testDir: "tests/e2e",
  workers: 1,
  timeout: 300_000,
  outputDir: "test-results",
  use: {
    baseURL: `http://localhost:${port}`,
    launchOptions: {
      ...(process.env["LORASMITH_CHROMIUM"] === undefined ? {} : { executablePath: process.env["LORASMITH_CHROMIUM"] }),
      args: ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
    },
  },
  webServer: {
    command: `npx vite preview --port ${port} --strictPort`,
    port,
    reuseExistingServer: false,
  },
});
