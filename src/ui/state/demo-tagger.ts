/** The tagger that ships with the demo; a build whose manifest names none, or that lacks its files, has none. */
import { readLabels } from "../../tagging/labels.ts";
import { wdTagger } from "../../tagging/catalogue.ts";
import type { TaggerManifest } from "../../tagging/manifest.ts";
import type { ModelFiles } from "../../workers/tag-protocol.ts";
import { loadDemo, nameOf, readDemoFile } from "./demo.ts";

export interface DemoTagger {
  /** How many tags it knows. */
  readonly tagCount: number;
  /** Of the model, which is fetched when it is first used. */
  readonly bytes: number;
  readonly manifest: TaggerManifest;
  /** Fetches the model on the first call. Throws `demo.unavailable`. */
  files(): Promise<ModelFiles>;
}

/** Reads the list of tags, which is small. Undefined where there is none, or something else in its place. */
export async function findDemoTagger(): Promise<DemoTagger | undefined> {
  const entry = (await loadDemo())?.manifest.tagger;
  if (entry === undefined) return undefined;
  const [modelName, labelsName] = [nameOf(entry.model.path), nameOf(entry.tags)];
  try {
    const labels = await readDemoFile(entry.tags);
    // Servers of single-page apps answer with the page where there is no such file.
    const tagCount = readLabels(new Uint8Array(await labels.arrayBuffer()), labelsName).length;
    const manifest: TaggerManifest = {
      ...wdTagger, id: `demo-${entry.model.bytes}`, title: "Demo",
      files: { model: { name: modelName, bytes: entry.model.bytes }, labels: { name: labelsName } },
      thresholds: { general: 0.35, character: 0.85 },
    };
    let model: Promise<Blob> | undefined;
    const files = async () => {
      model ??= readDemoFile(entry.model.path);
      model.catch(() => {
        model = undefined;
      });
      return {
        manifest,
        files: new Map([
          ["model", { name: modelName, file: await model }],
          ["labels", { name: labelsName, file: labels }],
        ] as const),
      };
    };
    return { tagCount, bytes: entry.model.bytes, manifest, files };
  } catch {
    return undefined;
  }
}
