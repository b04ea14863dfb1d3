/**
 * Holds the direction of knowledge: ui → workers → training → generation → {models, lora} → gpu, the pure folders below all, storage
 * for the browser side only, the command line beside it all. Prints what breaks it as file:line.
 *
 *   node scripts/check-layers.mjs [folder]      the folder that holds src/ (default: this project)
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, normalize, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url));

const pure = ["config", "dataset", "studio", "text", "formats", "random"];
const engine = ["training", "generation", "models", "lora", "gpu"];
/** Folder of src → folders that it may import from. Files in src itself stand for themselves. */
const allowed = {
  ...Object.fromEntries(pure.map((name) => [name, pure])),
  gpu: ["gpu", ...pure],
  models: ["models", "lora", "gpu", ...pure],
  lora: ["lora", "models", "gpu", ...pure],
  generation: ["generation", "models", "lora", "gpu", ...pure],
  training: [...engine, ...pure],
  // Stands beside the engine: knows pictures and captions, and ONNX Runtime by its types alone.
  tagging: ["tagging", ...pure],
  // Only the words of a run (events, settings) are stored; see `typesOnly`.
  storage: ["storage", "training", "generation", "tagging", ...pure],
  workers: ["workers", "storage", "tagging", ...engine, ...pure],
  ui: ["ui", "workers", "storage", "tagging", "training", "generation", ...pure],
  cli: ["cli", "tagging", ...engine, ...pure],
  "main.ts": ["ui", "workers"],
  "errors.ts": [],
  "version.ts": [],
};
/** [from, to]: only types may be imported. */
const typesOnly = [["storage", "tagging"], ["storage", "training"], ["ui", "training"], ["storage", "generation"], ["ui", "generation"]];
/** Known to everybody. */
const common = ["errors.ts"];
/** Files that know the program's version, and who may ask. */
const versioned = ["training", "cli", "ui", "workers"];
/** Packages that belong to one place. Others may be used anywhere. */
const packageHomes = {
  webgpu: ["cli"],
  sharp: ["cli"],
  idb: ["storage"],
  "onnxruntime-web": ["tagging", "workers", "cli"],
  comlink: ["workers", "ui"],
  svelte: ["ui", "main.ts"],
  uplot: ["ui"],
};
/** What only exists on a page, in a browser, or in Node: by folder, names that must not occur. */
const pageOnly = ["window", "document", "HTMLElement", "HTMLCanvasElement", "HTMLImageElement", "localStorage", "Image"];
const browserOnly = [...pageOnly, "navigator", "indexedDB", "Worker", "OffscreenCanvas", "createImageBitmap"];
const nodeOnly = ["process", "Buffer", "require", "__dirname"];
const forbiddenNames = {
  ...Object.fromEntries(engine.map((name) => [name, [...browserOnly, ...nodeOnly]])),
  ...Object.fromEntries(pure.map((name) => [name, [...browserOnly, ...nodeOnly, "GPUDevice", "GPUBuffer"]])),
  tagging: [...browserOnly, ...nodeOnly, "GPUDevice"],
  storage: [...pageOnly, ...nodeOnly, "GPUDevice"],
  workers: [...pageOnly, ...nodeOnly],
  ui: [...nodeOnly, "GPUDevice", "indexedDB"],
};

const files = sourcesBelow(join(root, "src"));
const violations = files.flatMap(check);
for (const violation of violations) console.error(violation);
if (violations.length > 0) {
  console.error(`${violations.length} imports or names against the direction of knowledge`);
  process.exit(1);
}
console.log(`${files.length} files keep the direction of knowledge`);

function sourcesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourcesBelow(path);
    return /\.(ts|svelte)$/.test(entry.name) ? [path] : [];
  });
}

function check(file) {
  const layer = layerOf(file);
  const source = ts.createSourceFile(file, scriptOf(file), ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const found = [];
  const report = (node, text) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    found.push(`${relative(root, file).split(sep).join("/")}:${line + 1}: ${text}`);
  };
  if (!Object.hasOwn(allowed, layer)) {
    report(source, `src/${layer} is not in the layers that scripts/check-layers.mjs knows`);
    return found;
  }
  const names = new Set(forbiddenNames[layer] ?? []);
  const visit = (node) => {
    const target = moduleOf(node);
    if (target !== undefined) {
      const problem = problemWith(file, layer, target.text, isTypeImport(node));
      if (problem !== undefined) report(target, problem);
    }
    if (ts.isIdentifier(node) && names.has(node.text) && !isOwnName(node)) {
      report(node, `src/${layer} must not use ${node.text}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Script of a file, at its own line numbers. */
function scriptOf(file) {
  const text = readFileSync(file, "utf8");
  if (!file.endsWith(".svelte")) return text;
  const blank = (part) => part.replace(/[^\n]/g, " ");
  let script = "";
  let end = 0;
  for (const match of text.matchAll(/(<script[^>]*>)([\s\S]*?)<\/script>/g)) {
    const start = match.index + match[1].length;
    script += blank(text.slice(end, start)) + match[2];
    end = start + match[2].length;
  }
  return script + blank(text.slice(end));
}

/** First folder below src, or the file's own name where it lies in src itself. */
function layerOf(file) {
  return relative(join(root, "src"), file).split(sep)[0];
}

/** What a node imports: static and dynamic imports, re-exports, types, and workers and files by URL. */
function moduleOf(node) {
  let target;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) target = node.moduleSpecifier;
  else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) target = node.argument.literal;
  else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) target = node.arguments[0];
  else if (ts.isNewExpression(node) && node.expression.getText() === "URL" && node.arguments?.length === 2) {
    target = node.arguments[1].getText() === "import.meta.url" ? node.arguments[0] : undefined;
  }
  return target !== undefined && ts.isStringLiteralLike(target) ? target : undefined;
}

function isTypeImport(node) {
  if (ts.isImportTypeNode(node)) return true;
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  if (!ts.isImportDeclaration(node) || node.importClause === undefined) return false;
  const { isTypeOnly, name, namedBindings } = node.importClause;
  if (isTypeOnly) return true;
  return name === undefined && namedBindings !== undefined && ts.isNamedImports(namedBindings)
    && namedBindings.elements.every((element) => element.isTypeOnly);
}

function problemWith(file, layer, target, isType) {
  if (!target.startsWith(".")) return problemWithPackage(layer, target);
  const path = normalize(join(dirname(file), target.replace(/\?.*$/, "")));
  if (relative(join(root, "src"), path).startsWith("..")) {
    if (layer === "version.ts" && path === join(root, "package.json")) return undefined;
    // The program looks for its scripts beside itself.
    return layer === "cli" ? undefined : `src/${layer} must not reach outside of src (${target})`;
  }
  if (!existsSync(path) || !statSync(path).isFile()) return `there is no ${target}`;
  const other = layerOf(path);
  if (other === layer || common.includes(other)) return undefined;
  if (other === "version.ts") return versioned.includes(layer) ? undefined : `src/${layer} must not know the version`;
  if (!allowed[layer].includes(other)) return `src/${layer} must not import from src/${other} (${target})`;
  const onlyTypes = typesOnly.some(([from, to]) => from === layer && to === other);
  return onlyTypes && !isType ? `src/${layer} may import only types from src/${other} (${target})` : undefined;
}

function problemWithPackage(layer, target) {
  if (isBuiltin(target)) return layer === "cli" ? undefined : `src/${layer} must not use Node's ${target}`;
  const name = target.startsWith("@") ? target.split("/").slice(0, 2).join("/") : target.split("/")[0];
  const homes = packageHomes[name];
  return homes === undefined || homes.includes(layer) ? undefined : `the package ${name} belongs to src/${homes.join(", src/")}`;
}

/** Whether an identifier is the name of a property or a declaration here, and so not the global. */
function isOwnName(node) {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node && parent.expression.getText() !== "globalThis";
  if (ts.isImportSpecifier(parent) || ts.isBindingElement(parent) || ts.isParameter(parent)) return true;
  return "name" in parent && parent.name === node && !ts.isShorthandPropertyAssignment(parent);
}
