import { defineConfig } from "vite";

/**
 * The command line as one file: shaders and vocabulary are in it, packages stay where they are. Written beside its
 * final place by bin/lorasmith.mjs, which moves it there in one go.
 */
export default defineConfig({
  build: {
    ssr: "src/cli/main.ts",
    target: "node20",
    emptyOutDir: false,
    // The page's files have no business in the program.
    copyPublicDir: false,
    rolldownOptions: { output: { entryFileNames: "main.mjs", codeSplitting: false } },
  },
});
