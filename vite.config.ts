import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";
import type { Plugin } from "vite";
import { VitePWA } from "vite-plugin-pwa";

/**
 * The page loads nothing from elsewhere and runs no inline script. A policy in the page does not reach workers that
 * are loaded by URL, so hosts should send the same one as a header (`public/_headers`; the preview server does).
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  // Taggers run on ONNX Runtime, which is WebAssembly.
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "font-src 'self'",
  // Taggers and captioners are downloaded from where they are published, when somebody asks for one; nothing else is asked of
  // the network.
  "connect-src 'self' https:",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** How the file of ONNX Runtime's WebGPU build begins. */
const gpuRuntime = "ort-wasm-simd-threaded.jspi";

/** Only in builds: the development server injects inline styles and talks over a web socket. */
const policyInPage: Plugin = {
  name: "content-security-policy",
  apply: "build",
  transformIndexHtml: () => [
    {
      tag: "meta",
      attrs: { "http-equiv": "Content-Security-Policy", content: contentSecurityPolicy },
      injectTo: "head-prepend",
    },
  ],
};

export default defineConfig({
  plugins: [
    svelte(),
    policyInPage,
    VitePWA({
      // An update waits until the user takes it: a reload in mid-run costs steps.
      registerType: "prompt",
      injectRegister: false,
      includeAssets: ["icon.svg", "icon-192.png"],
      manifest: {
        id: "/",
        name: "Lorasmith",
        short_name: "Lorasmith",
        description: "Train Stable Diffusion LoRAs in the browser, on your own GPU.",
        start_url: "/#/train",
        display: "standalone",
        background_color: "#f7f5f2",
        theme_color: "#c2410c",
        icons: [
          { src: "/icon.svg", sizes: "any", type: "image/svg+xml" },
          { src: "/icon-192.png", sizes: "192x192", type: "image/png" },
          { src: "/icon-512.png", sizes: "512x512", type: "image/png" },
          { src: "/icon-maskable-512.png", sizes: "512x512", type: "image/png", purpose: "maskable" },
        ],
      },
      workbox: {
        globPatterns: ["**/*.{js,css,html,svg,png,wgsl,json,txt,csv,onnx,wasm,safetensors}"],
        // ONNX Runtime for WebGPU is a second one as large as the first, and some browsers never ask for it: it is kept
        // from its first use on, and where it is not there the first takes its place.
        globIgnores: [`**/${gpuRuntime}*`],
        runtimeCaching: [
          {
            urlPattern: new RegExp(`/assets/${gpuRuntime}`),
            handler: "CacheFirst",
            options: { cacheName: "onnxruntime", expiration: { maxEntries: 1 } },
          },
        ],
        // The largest is the demo's base model: the demo works without a network after one visit.
        maximumFileSizeToCacheInBytes: 32 * 1024 * 1024,
      },
    }),
  ],
  worker: { format: "es" },
  // Loaded by a worker only when it is needed: found late, it would make the development server reload the page.
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  // Beside the command line's bundle in dist/cli, which a build of the page must not sweep away.
  build: { target: "es2022", outDir: "dist/page" },
  preview: { headers: { "Content-Security-Policy": contentSecurityPolicy } },
});
