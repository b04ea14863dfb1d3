/** Prints what the WebGPU adapter of this environment says of itself, as JSON; null where there is none. */
import { create, globals } from "webgpu";

Object.assign(globalThis, globals);
const adapter = await create([]).requestAdapter({ powerPreference: "high-performance" });
if (adapter === null) console.log("null");
else {
  const { vendor, architecture, description } = adapter.info;
  console.log(JSON.stringify({ vendor, architecture, description, hasShaderF16: adapter.features.has("shader-f16") }));
}
// Dawn would keep the process alive.
process.exit(0);
