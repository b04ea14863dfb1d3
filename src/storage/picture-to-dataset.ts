/**
 * Generated pictures as training pictures: the way to a second dataset by a first, quick LoRA. Each comes with its
 * caption and a note of how it was made.
 */
import { isForRegularization, parentOf } from "../dataset/paths.ts";
import { captionOfPrompt } from "../text/prompt/caption.ts";
import { keysOf, openDatabase } from "./database.ts";
import type { DatasetFileRecord, DatasetRecord, PictureRecord, ProvenanceRecord } from "./database.ts";
import { storing } from "./storage-errors.ts";

export interface SentPicture {
  readonly picture: Pick<PictureRecord, "request" | "infotext" | "createdAt">;
  readonly png: Blob;
}

/** Folder of a dataset that begins with generated pictures; one repeat, as for pictures without a folder. */
const newFolder = "1_generated";

/**
 * Adds pictures to a stored dataset, with captions ending in `.txt`, in its first folder that is not for
 * regularization. Without a dataset, or where it is gone, a new one of this name begins. Nothing partial stays.
 * Throws StorageFullError.
 * @returns the dataset's record as it is now; `datasetFiles` has its files
 */
export async function sendToDataset(
  pictures: readonly SentPicture[], datasetId: string | undefined, newName: string,
): Promise<DatasetRecord> {
  return storing("the pictures", async () => {
    const tx = (await openDatabase()).transaction(["datasets", "datasetFiles", "provenance"], "readwrite");
    const files = tx.objectStore("datasetFiles");
    const known = datasetId === undefined ? undefined : await tx.objectStore("datasets").get(datasetId);
    const record = known ?? { id: crypto.randomUUID(), createdAt: Date.now(), name: newName, fileCount: 0 };
    const taken = new Set((await files.getAllKeys(keysOf(record.id))).map(([, path]) => path));
    const rows = plan(pictures, record.id, taken);
    const updated = { ...record, fileCount: record.fileCount + 2 * rows.length };
    await Promise.all([
      ...rows.flatMap(({ png, caption, provenance }) => [
        files.put(png),
        files.put(caption),
        tx.objectStore("provenance").put(provenance),
      ]),
      tx.objectStore("datasets").put(updated),
      tx.done,
    ]);
    return updated;
  });
}

/** How pictures of a dataset came to be, by path; only those that were sent here. */
export async function provenanceOf(datasetId: string): Promise<ReadonlyMap<string, ProvenanceRecord>> {
  const records = await (await openDatabase()).getAll("provenance", keysOf(datasetId));
  return new Map(records.map((record) => [record.path, record]));
}

interface Row {
  readonly png: DatasetFileRecord;
  readonly caption: DatasetFileRecord;
  readonly provenance: ProvenanceRecord;
}

function plan(pictures: readonly SentPicture[], datasetId: string, taken: Set<string>): Row[] {
  const first = [...taken].find((path) => !isForRegularization(parentOf(path)));
  const folder = first === undefined ? newFolder : parentOf(first);
  return pictures.map(({ picture: { request, infotext, createdAt }, png }) => {
    const stem = freeStem(`${folder === "" ? "" : `${folder}/`}generated-${request.seed}`, taken);
    const path = `${stem}.png`;
    const captionPath = `${stem}.txt`;
    taken.add(path).add(captionPath);
    return {
      png: { datasetId, path, file: png },
      caption: { datasetId, path: captionPath, file: new Blob([captionOfPrompt(request.prompt, request.steps)]) },
      provenance: { datasetId, path, origin: "generated", createdAt, infotext },
    };
  });
}

function freeStem(stem: string, taken: ReadonlySet<string>): string {
  const isFree = (candidate: string): boolean => !taken.has(`${candidate}.png`) && !taken.has(`${candidate}.txt`);
  for (let number = 1; ; number++) {
    const candidate = number === 1 ? stem : `${stem}-${number}`;
    if (isFree(candidate)) return candidate;
  }
}
