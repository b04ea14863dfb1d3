import { defineConfig } from "playwright/test";

/** Real Chromium on its software WebGPU adapter, against the built page. scripts/test-e2e.mjs finds the browser. */
const executablePath = process.env["LORASMITH_CHROMIUM"];

export default defineConfig({
  testDir: "tests/e2e",
  timeout: 600_000,
  expect: { timeout: 30_000 },
  workers: 1,
  // A retry would hide races.
  retries: 0,
  outputDir: "test-results",
  use: {
    baseURL: "http://localhost:4183",
    locale: "en-US",
    launchOptions: {
      ...(executablePath === undefined ? {} : { executablePath }),
      args: [
        "--no-sandbox",
        "--enable-unsafe-webgpu",
        "--use-webgpu-adapter=swiftshader",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  webServer: {
    command: "node node_modules/vite/bin/vite.js preview --port 4183 --strictPort",
    url: "http://localhost:4183",
    reuseExistingServer: false,
  },
});
