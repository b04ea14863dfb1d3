/**
 * The one IndexedDB database. Records only; base models are files in OPFS (`opfs.ts`). Nobody else opens a database.
 * A schema change is a new entry at the end of `migrations`; entries that shipped never change.
 */
import type { TrainingConfig } from "../config/parameters.ts";
import { openDB } from "idb";
import type { DBSchema, IDBPDatabase } from "idb";
import type { SerializedError } from "../errors.ts";
import type { AdapterWeight, GenerationRequest } from "../generation/request.ts";
import type { Edit, EditLabel } from "../studio/edit.ts";
import type { StudioPicture } from "../studio/picture.ts";
import type { StudioSet } from "../studio/studio-set.ts";
import type { FileRole, ModelManifest } from "../tagging/manifest.ts";
import type { Reading } from "../tagging/open-model.ts";
import type { LogEntry } from "../training/events.ts";
import type { StartWords } from "../training/word-init.ts";
import type { LargeFile } from "./large-files.ts";
import { storing } from "./storage-errors.ts";

export type RunState = "ready" | "running" | "paused" | "finished" | "failed" | "stopped";

/** A picked or dropped file; `path` is relative to the folder, with forward slashes. */
export interface DatasetFile {
  readonly path: string;
  readonly file: Blob;
}

/** A file that a run starts from, under the name that its settings have for it. */
export interface StartFile {
  readonly name: string;
  readonly file: Blob;
}

/** How to find a picked base model again after a reload. */
export interface ModelRef {
  readonly name: string;
  readonly bytes: number;
  readonly lastModified: number;
  /** Chromium only; reading may need the user's permission again. */
  readonly handle?: FileSystemFileHandle;
  /** Name of a copy in this browser's own storage. */
  readonly copyName?: string;
  /** The demo's model: part of the page, so it can always be read again. */
  readonly isDemo?: boolean;
  /** What a run made of another model: its result, or what it saved under this name on the way. */
  readonly trained?: { readonly runId: string; readonly save?: string };
}

export interface RunRecord {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly name: string;
  readonly config: TrainingConfig;
  readonly state: RunState;
  readonly model: ModelRef;
  readonly datasetId: string;
  readonly step: number;
  readonly totalSteps: number;
  /** Of a textual inversion that goes on from a file. */
  readonly startWords?: StartWords;
  /** Of a network that starts from LoRA files, or on a base with some in it. */
  readonly startFiles?: readonly StartFile[];
  readonly error?: SerializedError;
}

export interface PointChunk {
  readonly runId: string;
  readonly index: number;
  /** Rows of `pointWidth` numbers, see `points.ts`. */
  readonly values: Float64Array;
}

export interface CheckpointRecord {
  readonly runId: string;
  readonly step: number;
  readonly bytes: Blob | LargeFile;
}

export interface ResultRecord {
  readonly runId: string;
  readonly bytes: Blob | LargeFile;
}

export interface DatasetRecord {
  readonly id: string;
  readonly createdAt: number;
  readonly name: string;
  readonly fileCount: number;
}

export interface DatasetFileRecord extends DatasetFile {
  readonly datasetId: string;
}

export interface LogRecord {
  readonly runId: string;
  readonly at: number;
  readonly entry: LogEntry;
}

/** A generated picture, without its pixels. */
export interface PictureRecord {
  /** Rises with time. */
  readonly id: number;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly width: number;
  readonly height: number;
  /** Of the PNG file. */
  readonly bytes: number;
  readonly request: GenerationRequest;
  /** As the sliders stood; weights of the prompt's tags came on top. */
  readonly adapters: readonly AdapterWeight[];
  /** Name of the base model. */
  readonly model: string;
  /** The webui's "parameters". */
  readonly infotext: string;
  readonly milliseconds: number;
  readonly isFavourite: boolean;
  /** Set while it can still be had back. */
  readonly deletedAt?: number;
}

/** Where a dataset's picture comes from, where that is known. */
export interface ProvenanceRecord {
  readonly datasetId: string;
  /** The picture's path in the dataset. */
  readonly path: string;
  readonly origin: "generated";
  /** When the picture was made; milliseconds since 1970. */
  readonly createdAt: number;
  readonly infotext: string;
}

/** A picture that a run made while it trained. */
export interface SampleRecord {
  readonly runId: string;
  /** Updates finished; 0 is the base model. */
  readonly step: number;
  /** Of the prompt, from 0. */
  readonly index: number;
  /** Epochs finished, where the step ends one. */
  readonly epoch: number | undefined;
  readonly prompt: string;
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  readonly milliseconds: number;
  /** With the webui's "parameters" inside. */
  readonly png: Blob;
}

/** A LoRA file that a run wrote on the way to its result. */
export interface SaveRecord {
  readonly runId: string;
  /** Updates finished. */
  readonly step: number;
  /** File name without extension. */
  readonly name: string;
  /** The epoch that the last update belongs to, from 1. */
  readonly epoch: number;
  readonly bytes: Blob;
}

export interface StoredSave extends Omit<SaveRecord, "bytes"> {
  readonly bytes: Blob | LargeFile;
}

/** A preset under a name of the user's. `settings` as in `Preset`. */
export interface PresetRecord {
  readonly name: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What was done to a set of the dataset studio, and how much of it holds. */
export interface EditHistory {
  /** Of all edits that can be taken back or done again, oldest first. Their numbers go on from `first`. */
  readonly labels: readonly EditLabel[];
  /** Number of the oldest edit that is still known. */
  readonly first: number;
  /** How many of `labels` hold; those behind were taken back. */
  readonly done: number;
}

/** A set of the dataset studio. */
export interface SetRecord extends StudioSet {
  readonly history: EditHistory;
  /** Goes up with every change, so that a tab sees that another one was here. */
  readonly revision: number;
}

export interface SetPictureRecord extends StudioPicture {
  readonly setId: string;
}

export interface SetEditRecord extends Edit {
  readonly setId: string;
  readonly number: number;
}

/** A tagger or captioner whose files are in this browser, whole and checked. */
export interface TaggerRecord {
  /** As in the manifest. */
  readonly id: string;
  readonly manifest: ModelManifest;
  readonly files: readonly { readonly role: FileRole; readonly name: string; readonly bytes: number; readonly sha256: string }[];
  /** Milliseconds since 1970. */
  readonly addedAt: number;
}

/** What a tagger or captioner said of a picture. */
export interface ReadingRecord {
  /** Of the model. */
  readonly model: string;
  /** What the picture is: the SHA-256 of its file, and what of it was read. */
  readonly picture: string;
  /** How a captioner was told to write; "" for taggers. */
  readonly variant: string;
  readonly reading: Reading;
  readonly milliseconds: number;
}

export interface LorasmithSchema extends DBSchema {
  runs: { key: string; value: RunRecord };
  runPoints: { key: [string, number]; value: PointChunk };
  checkpoints: { key: [string, number]; value: CheckpointRecord };
  results: { key: string; value: ResultRecord };
  settings: { key: string; value: unknown };
  datasets: { key: string; value: DatasetRecord };
  datasetFiles: { key: [string, string]; value: DatasetFileRecord };
  logs: { key: number; value: LogRecord; indexes: { runId: string } };
  pictures: { key: number; value: PictureRecord };
  /** PNG files by picture. */
  pictureFiles: { key: number; value: Blob };
  provenance: { key: [string, string]; value: ProvenanceRecord };
  samples: { key: [string, number, number]; value: SampleRecord };
  saves: { key: [string, number, string]; value: StoredSave };
  presets: { key: string; value: PresetRecord };
  sets: { key: string; value: SetRecord };
  setPictures: { key: [string, string]; value: SetPictureRecord };
  setEdits: { key: [string, number]; value: SetEditRecord };
  /** Files as they came, by SHA-256; shared by all sets. */
  originals: { key: string; value: Blob };
  /** Small pictures to look at, by the SHA-256 of their original. */
  thumbnails: { key: string; value: Blob };
  taggers: { key: string; value: TaggerRecord };
  readings: { key: [string, string, string]; value: ReadingRecord };
}

export type Database = IDBPDatabase<LorasmithSchema>;

/** migrations[n] takes version n to n + 1. */
const migrations: readonly ((db: Database) => void)[] = [
  (db) => {
    db.createObjectStore("runs", { keyPath: "id" });
    db.createObjectStore("runPoints", { keyPath: ["runId", "index"] });
    db.createObjectStore("checkpoints", { keyPath: ["runId", "step"] });
    db.createObjectStore("results", { keyPath: "runId" });
    db.createObjectStore("settings");
    db.createObjectStore("datasets", { keyPath: "id" });
    db.createObjectStore("datasetFiles", { keyPath: ["datasetId", "path"] });
    db.createObjectStore("logs", { autoIncrement: true }).createIndex("runId", "runId");
  },
  (db) => {
    db.createObjectStore("pictures", { keyPath: "id", autoIncrement: true });
    db.createObjectStore("pictureFiles");
    db.createObjectStore("provenance", { keyPath: ["datasetId", "path"] });
  },
  (db) => {
    db.createObjectStore("samples", { keyPath: ["runId", "step", "index"] });
  },
  (db) => {
    db.createObjectStore("saves", { keyPath: ["runId", "step", "name"] });
  },
  (db) => {
    db.createObjectStore("presets", { keyPath: "name" });
  },
  (db) => {
    db.createObjectStore("sets", { keyPath: "id" });
    db.createObjectStore("setPictures", { keyPath: ["setId", "id"] });
    db.createObjectStore("setEdits", { keyPath: ["setId", "number"] });
    db.createObjectStore("originals");
    db.createObjectStore("thumbnails");
  },
  (db) => {
    db.createObjectStore("taggers", { keyPath: "id" });
    db.createObjectStore("readings", { keyPath: ["model", "variant", "picture"] });
  },
];

export const databaseName = "lorasmith";

let opened: Promise<Database> | undefined;

/** Opens the database once per thread. Throws StorageUnavailableError where the browser forbids it. */
export function openDatabase(): Promise<Database> {
  opened ??= storing("its database", () =>
    openDB<LorasmithSchema>(databaseName, migrations.length, {
      upgrade(db, oldVersion) {
        for (const migrate of migrations.slice(oldVersion)) migrate(db);
      },
      // A newer version of the page in another tab wants to migrate: let it; our next access opens again.
      blocking(_current, _next, event) {
        (event.target as IDBDatabase).close();
        opened = undefined;
      },
      terminated() {
        opened = undefined;
      },
    }),
  );
  opened.catch(() => {
    opened = undefined;
  });
  return opened;
}

/** Every key that starts with `prefix` in a store keyed by [string, …]. An array sorts after all numbers and strings. */
export function keysOf(prefix: string): IDBKeyRange {
  return IDBKeyRange.bound([prefix], [prefix, []]);
}
