/**
 * The demo that ships with the page: a small base model, datasets for it and settings that train in a minute or two.
 * Everything lies below `demo/` beside the page (same origin, kept for offline use); a build without it has no demo.
 *
 * `demo/manifest.json`, all paths relative to `demo/`:
 *
 *     {
 *       "model": { "path": "model.safetensors", "bytes": 18874368 },
 *       "datasets": [
 *         {
 *           "id": "smith",
 *           "title": { "en": "Smith, a character", "zh-CN": "Smith（人物）" },
 *           "trigger": "smith",
 *           "files": ["smith/4_smith person/01.png", "smith/4_smith person/01.txt"],
 *           "regularization": ["smith/reg/1_person/01.png"],
 *           "settings": { "output_name": "smith" },
 *           "prompts": [{ "prompt": "smith, smile, blue background" }]
 *         }
 *       ],
 *       "settings": { "resolution": "128,128", "max_train_epochs": 8 },
 *       "tagger": { "model": { "path": "tagger/model.onnx", "bytes": 2097152 }, "tags": "tagger/selected_tags.csv" },
 *       "prompts": [
 *         { "prompt": "smith, smile, blue background", "negative": "", "width": 128, "height": 128,
 *           "steps": 20, "cfg": 5, "sampler": "euler", "seed": 1 }
 *       ]
 *     }
 *
 * The first dataset is the one behind the big button. `files` are a kohya folder: the first part of each path becomes
 * the dataset's name. `regularization` are pictures that come with them, and are offered again once they were taken out.
 * `settings` are kohya keys with values as in its JSON; a dataset's own come on top. `prompts` are what the Test screen
 * begins with, those of a dataset after a run on it; what its first one leaves out is taken from the general first one.
 * Everything in them but `prompt` may be left out, and so may `tagger` and a dataset's `trigger`, `regularization`,
 * `settings` and `prompts`.
 */
import * as v from "valibot";
import { LorasmithError } from "../../errors.ts";
import type { DatasetFile } from "../../workers/train-protocol.ts";
import type { RequestChange } from "./test-request.ts";

const filePath = v.pipe(v.string(), v.regex(/^(?!\/)(?!.*\.\.)[^\\:]+$/));
const positive = v.pipe(v.number(), v.integer(), v.minValue(1));

const prompts = v.array(
  v.object({
    prompt: v.string(),
    negative: v.optional(v.string()),
    width: v.optional(positive),
    height: v.optional(positive),
    steps: v.optional(positive),
    cfg: v.optional(v.number()),
    sampler: v.optional(v.string()),
    seed: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
  }),
);

const sizedFile = v.object({ path: filePath, bytes: positive });

const schema = v.object({
  model: sizedFile,
  datasets: v.pipe(
    v.array(
      v.object({
        id: v.string(),
        title: v.object({ en: v.string(), "zh-CN": v.string() }),
        trigger: v.optional(v.string(), ""),
        files: v.pipe(v.array(filePath), v.minLength(1)),
        regularization: v.optional(v.array(filePath), []),
        settings: v.optional(v.record(v.string(), v.unknown()), {}),
        prompts: v.optional(prompts, []),
      }),
    ),
    v.minLength(1),
  ),
  settings: v.record(v.string(), v.unknown()),
  tagger: v.optional(v.object({ model: sizedFile, tags: filePath })),
  prompts: v.pipe(prompts, v.minLength(1)),
});

export type DemoManifest = v.InferOutput<typeof schema>;
export type DemoDataset = DemoManifest["datasets"][number];

/** What a set-up takes from the demo. */
export interface DemoSetup {
  readonly model: File;
  readonly files: readonly DatasetFile[];
  /** Kohya keys and values. */
  readonly settings: Readonly<Record<string, unknown>>;
}

const picture = /\.(png|jpe?g|webp)$/i;
const parallelRequests = 8;

export class Demo {
  readonly manifest: DemoManifest;
  #model: Promise<File> | undefined;

  constructor(manifest: DemoManifest) {
    this.manifest = manifest;
  }

  /** Addresses of a dataset's first pictures. */
  pictureUrls(dataset: DemoDataset, count: number): string[] {
    return dataset.files.filter((path) => picture.test(path)).slice(0, count).map(addressOf);
  }

  /** Whether there are regularization pictures for the dataset of that name (the first part of its paths). */
  hasRegularization(datasetName: string): boolean {
    return (this.#named(datasetName)?.regularization ?? []).length > 0;
  }

  /** The regularization pictures for the dataset of that name. Throws `demo.unavailable`. */
  regularization(datasetName: string): Promise<DatasetFile[]> {
    return downloadAll(this.#named(datasetName)?.regularization ?? []);
  }

  /** What to ask for first after a run on the dataset of that name (the first part of its paths), or without a run. */
  firstRequest(datasetName?: string): RequestChange {
    return { ...this.manifest.prompts[0], ...this.#named(datasetName)?.prompts[0] };
  }

  #named(datasetName: string | undefined): DemoDataset | undefined {
    return this.manifest.datasets.find(({ files }) => files[0]?.split("/")[0] === datasetName);
  }

  /** The base model. Throws `demo.unavailable`. */
  model(): Promise<File> {
    const { path } = this.manifest.model;
    this.#model ??= readDemoFile(path).then((blob) => new File([blob], nameOf(path), { lastModified: 0 }));
    this.#model.catch(() => {
      this.#model = undefined;
    });
    return this.#model;
  }

  /** Everything that a run on one of its datasets needs; the first one by default. Throws `demo.unavailable`. */
  async open(id?: string): Promise<DemoSetup> {
    const { datasets, settings } = this.manifest;
    const dataset = datasets.find((candidate) => candidate.id === id) ?? datasets[0]!;
    const [model, files] = await Promise.all([this.model(), downloadAll([...dataset.files, ...dataset.regularization])]);
    return { model, files, settings: { ...settings, ...dataset.settings } };
  }
}

let loading: Promise<Demo | undefined> | undefined;

/** The demo of this build, or undefined where it has none or it cannot be read. Asked for once per page. */
export function loadDemo(): Promise<Demo | undefined> {
  loading ??= readManifest().catch(() => undefined);
  return loading;
}

async function readManifest(): Promise<Demo | undefined> {
  const response = await fetch(addressOf("manifest.json"));
  // Servers of single-page apps answer with the page where there is no such file.
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  if (!response.ok || !isJson) return undefined;
  const parsed = v.safeParse(schema, await response.json());
  return parsed.success ? new Demo(parsed.output) : undefined;
}

function addressOf(path: string): string {
  return new URL(`demo/${path.split("/").map(encodeURIComponent).join("/")}`, document.baseURI).href;
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.split("/").at(-1) ?? path;
}

async function downloadAll(paths: readonly string[]): Promise<DatasetFile[]> {
  const files: DatasetFile[] = [];
  for (let at = 0; at < paths.length; at += parallelRequests) {
    const batch = paths.slice(at, at + parallelRequests);
    files.push(...(await Promise.all(batch.map(async (path) => ({ path, file: await readDemoFile(path) })))));
  }
  return files;
}

/** A file below `demo/`. Throws `demo.unavailable`. */
export async function readDemoFile(path: string): Promise<Blob> {
  const response = await fetch(addressOf(path)).catch(() => undefined);
  if (response?.ok !== true) {
    throw new LorasmithError("demo.unavailable", `The demo's file ${path} could not be read. Reload the page while online.`, { path });
  }
  return response.blob();
}
