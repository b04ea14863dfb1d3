/**
 * Writes what lies below `public/demo/` into `manifest.json` (format: src/ui/state/demo.ts) and packs each dataset as a zip.
 *
 *     node pictures/manifest.mjs <public/demo>
 */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { zipSync } from "fflate";

const [root] = process.argv.slice(2);
if (!root) {
  console.error("usage: node pictures/manifest.mjs <public/demo>");
  process.exit(2);
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort();
}
const fromRoot = (path) => relative(root, path).split(sep).join("/");

/** The same bytes every time: a fixed date, a fixed order. */
function zip(id) {
  const files = filesBelow(join(root, id));
  const entries = Object.fromEntries(files.map((path) => [fromRoot(path), new Uint8Array(readFileSync(path))]));
  writeFileSync(join(root, `${id}.zip`), zipSync(entries, { level: 6, mtime: new Date("2026-01-01T00:00:00Z") }));
}

const { datasets, ...rest } = JSON.parse(readFileSync(new URL("demo.json", import.meta.url), "utf8"));
for (const { id } of datasets) zip(id);
const sized = (path) => ({ path, bytes: statSync(join(root, path)).size });
const hasTagger = [rest.tagger.model, rest.tagger.tags].every((path) => existsSync(join(root, path)));
const filesOf = (dataset, folder) => (existsSync(join(root, dataset.id, folder)) ? filesBelow(join(root, dataset.id, folder)).map(fromRoot) : []);
const manifest = {
  model: sized(rest.model),
  datasets: datasets.map((dataset) => {
    const regularization = filesOf(dataset, "reg");
    // Captions before merging are for comparing: they are only in the zip.
    return { ...dataset, files: filesOf(dataset, "img"), ...(regularization.length > 0 ? { regularization } : {}) };
  }),
  settings: rest.settings,
  // Trained apart from the model: offered only where it lies beside it.
  ...(hasTagger ? { tagger: { model: sized(rest.tagger.model), tags: rest.tagger.tags } } : {}),
  prompts: rest.prompts,
};
writeFileSync(join(root, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
console.log(`${manifest.datasets.map(({ id, files }) => `${id}: ${files.length} files`).join(", ")}`);
