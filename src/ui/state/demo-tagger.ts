/** The tagger that ships with the page, below `demo/` on its own origin; a build without it has none. */
import { LorasmithError } from "../../errors.ts";
import { readLabels } from "../../tagging/labels.ts";
import type { TaggerFiles } from "../../workers/tag-protocol.ts";

const folder = "demo/tagger";
const [modelName, labelsName] = ["model.onnx", "selected_tags.csv"];

export interface DemoTagger {
  /** How many tags it knows. */
  readonly tagCount: number;
  /** Fetches the model on the first call. Throws `demo.unavailable`. */
  files(): Promise<TaggerFiles>;
}

/** Asks for the list of tags, which is small. Undefined where there is none, or something else in its place. */
export async function findDemoTagger(): Promise<DemoTagger | undefined> {
  const response = await fetch(addressOf(labelsName)).catch(() => undefined);
  if (response?.ok !== true) return undefined;
  const labels = await response.blob();
  try {
    // Servers of single-page apps answer with the page where there is no such file.
    const tagCount = readLabels(new Uint8Array(await labels.arrayBuffer()), labelsName).length;
    let model: Promise<Blob> | undefined;
    const files = async () => {
      model ??= download();
      model.catch(() => {
        model = undefined;
      });
      return { model: await model, modelName, labels, labelsName };
    };
    return { tagCount, files };
  } catch {
    return undefined;
  }
}

async function download(): Promise<Blob> {
  const response = await fetch(addressOf(modelName)).catch(() => undefined);
  if (response?.ok === true) return response.blob();
  const path = `tagger/${modelName}`;
  throw new LorasmithError("demo.unavailable", `The demo's file ${path} could not be read. Reload the page while online.`, { path });
}

function addressOf(name: string): string {
  return new URL(`${folder}/${name}`, document.baseURI).href;
}
