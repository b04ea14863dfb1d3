/** The adapters that GPU tests run on. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { swiftShaderManifest } from "./chromium.mjs";
import { ask, root } from "./process.mjs";

/** Older versions miscompile compute shaders. */
const oldestMesa = 25;

/**
 * Both software adapters, and a real GPU if there is one. Those that can't be used have `missing`, the reason.
 * @returns entries {name, env, description?, missing?}; tests read `name` from LORASMITH_ADAPTER
 */
export function findAdapters(chromium) {
  const adapters = [lavapipe(), swiftShader(chromium)];
  const real = probe({});
  if (real !== undefined && !isSoftware(real)) adapters.push({ name: "gpu", env: {}, description: describe(real) });
  return adapters.map((adapter) => ({ ...adapter, env: { ...adapter.env, LORASMITH_ADAPTER: adapter.name } }));
}

function lavapipe() {
  const folder = "/usr/share/vulkan/icd.d";
  const manifest = existsSync(folder) ? readdirSync(folder).find((name) => /^lvp_icd.*\.json$/.test(name)) : undefined;
  if (manifest === undefined) return absent("lavapipe", "Mesa's Vulkan drivers are not installed (Debian: mesa-vulkan-drivers)");
  const found = withDriver("lavapipe", join(folder, manifest));
  const version = Number(/Mesa (\d+)/.exec(found.description ?? "")?.[1] ?? oldestMesa);
  return version < oldestMesa ? absent("lavapipe", `Mesa ${version} is older than ${oldestMesa}`) : found;
}

function swiftShader(chromium) {
  const manifest = swiftShaderManifest(chromium);
  if (manifest === undefined) return absent("swiftshader", "there is no Chromium with vk_swiftshader_icd.json");
  return withDriver("swiftshader", manifest);
}

function withDriver(name, manifest) {
  const env = { VK_ICD_FILENAMES: manifest };
  const found = probe(env);
  return found === undefined ? absent(name, `${manifest} gives no adapter`) : { name, env, description: describe(found) };
}

function absent(name, missing) {
  return { name, env: {}, missing };
}

function probe(env) {
  const output = ask(process.execPath, [join(root, "scripts/lib/probe-adapter.mjs")], env);
  return output === undefined ? undefined : (JSON.parse(output) ?? undefined);
}

function isSoftware({ vendor, architecture, description }) {
  return /swiftshader|llvmpipe|lavapipe|basic render|warp|software/i.test(`${vendor} ${architecture} ${description}`);
}

function describe({ description, vendor, architecture, hasShaderF16 }) {
  return `${description || `${vendor} ${architecture}`}, ${hasShaderF16 ? "with" : "without"} shader-f16`;
}
