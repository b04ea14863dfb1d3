/** Pictures on their way into a set: one heap after the other, with a report of each. */
import { serializeError } from "../../../errors.ts";
import type { SerializedError } from "../../../errors.ts";
import type { Change, SetFields } from "../../../studio/edit.ts";
import { changePicture } from "../../../studio/edit.ts";
import type { ImportReport } from "../../../studio/import-report.ts";
import { importFiles } from "../../../workers/import-client.ts";
import type { ImportProgress } from "../../../workers/import-protocol.ts";
import type { DatasetFile } from "../../../workers/train-protocol.ts";
import type { OpenSet } from "./open-set.svelte.ts";
import { readAhead } from "./read-ahead.ts";

interface Surroundings {
  /** The open set, or a new one of this name; "" where the files suggest none. */
  readonly target: (name: string) => Promise<OpenSet | undefined>;
  /** The shorter side of training's resolution. */
  readonly resolution: () => number;
  readonly run: typeof importFiles;
}

export interface ShownReport extends ImportReport {
  readonly setId: string;
  /** The pictures were taken out again, as was asked for. */
  readonly isDropped: boolean;
}

export class Importing {
  readonly #surroundings: Surroundings;
  #progress: ImportProgress | undefined = $state.raw();
  #report: ShownReport | undefined = $state.raw();
  #error: SerializedError | undefined = $state.raw();
  #stopping: "keep" | "drop" | undefined = $state();
  #controller: AbortController | undefined;
  #queue: Promise<void> = Promise.resolve();

  constructor(surroundings: Omit<Surroundings, "run"> & Partial<Pick<Surroundings, "run">>) {
    this.#surroundings = { run: importFiles, ...surroundings };
  }

  /** undefined: nothing is being imported. */
  get progress() {
    return this.#progress;
  }
  get isStopping() {
    return this.#stopping !== undefined;
  }
  /** What came of the latest import. */
  get report() {
    return this.#report;
  }
  get error() {
    return this.#error;
  }

  /** Takes files into the open set, after those that are on their way already. */
  take(listing: readonly DatasetFile[] | Promise<readonly DatasetFile[]>): Promise<void> {
    this.#queue = this.#queue.then(() => this.#take(listing));
    return this.#queue;
  }

  /** Ends the import that goes on: what is in stays in, or is taken out again (which can be undone). */
  stop(what: "keep" | "drop"): void {
    this.#stopping = what;
    this.#controller?.abort();
  }

  dismiss(): void {
    this.#report = undefined;
    this.#error = undefined;
  }

  async #take(listing: readonly DatasetFile[] | Promise<readonly DatasetFile[]>): Promise<void> {
    this.dismiss();
    this.#stopping = undefined;
    this.#controller = new AbortController();
    this.#progress = { phase: "listing", done: 0, total: 0, path: "" };
    try {
      const files = await listing;
      const open = files.length === 0 ? undefined : await this.#surroundings.target(nameFor(files));
      if (open !== undefined) await this.#run(open, files, this.#controller.signal);
    } catch (error) {
      this.#error = serializeError(error);
    } finally {
      this.#progress = undefined;
      this.#controller = undefined;
    }
  }

  async #run(open: OpenSet, files: readonly DatasetFile[], signal: AbortSignal): Promise<void> {
    const before = open.set;
    const known = [...open.pictures.values()].map(({ id, subset, name, original, likeness, caption }) => (
      { id, subset, name, original, likeness, hasCaption: caption !== null }));
    const subset = before.subsets.find(({ isReg }) => !isReg)?.id ?? before.subsets[0]?.id ?? "";
    const arrived: string[] = [];
    let fields: SetFields = {};
    let isNew = false;
    const request = { files, set: before, known, subset, resolution: this.#surroundings.resolution() };
    try {
      const report = await this.#surroundings.run(request, {
        progress: (progress) => void (this.#progress = progress),
        prepared: (change) => {
          fields = change;
          isNew = change.subsets !== undefined;
        },
        arrived: async (pictures) => {
          await open.receive(pictures, isNew ? fields.subsets : undefined);
          isNew = false;
          arrived.push(...pictures.map(({ picture }) => picture.id));
        },
      }, signal);
      await this.#finish(open, before, fields, arrived, report.captions);
      const isDropped = this.#stopping === "drop" && arrived.length > 0;
      if (isDropped) await open.undo();
      this.#report = { ...report, setId: open.id, isDropped };
    } catch (error) {
      // What is in can be taken back whatever happened.
      await this.#finish(open, before, fields, arrived, []);
      throw error;
    }
  }

  /** The whole import as one edit, of pictures as they are by now. */
  async #finish(
    open: OpenSet, before: OpenSet["set"], fields: SetFields, arrived: readonly string[], captions: ImportReport["captions"],
  ): Promise<void> {
    const adds = arrived.flatMap((id): Change[] => {
      const picture = open.pictures.get(id);
      return picture === undefined ? [] : [{ kind: "add", picture }];
    });
    const written = captions.flatMap(({ pictureId, caption }): Change[] => {
      const picture = open.pictures.get(pictureId);
      const change = picture && changePicture(picture, { caption });
      return change === undefined ? [] : [change];
    });
    if (adds.length + written.length === 0) return;
    readAhead(open.pictures.values());
    const keys = Object.keys(fields) as (keyof SetFields)[];
    const from = Object.fromEntries(keys.map((key) => [key, before[key]])) as SetFields;
    const set: Change[] = adds.length > 0 && keys.length > 0 ? [{ kind: "set", from, to: fields }] : [];
    const code = written.length === 0 ? "import" : adds.length === 0 ? "importCaptions" : "importBoth";
    await open.edit({ code, data: { n: adds.length, captions: written.length } }, [...set, ...adds, ...written]);
  }
}

/** What a set of these files is called: by their common folder or their only archive, as kohya's "train_" is put before it again. */
function nameFor(files: readonly DatasetFile[]): string {
  const [first = "", ...rest] = files.map(({ path }) => path);
  const folder = first.split("/")[0] ?? "";
  const isFolder = first.includes("/") && rest.every((path) => path.startsWith(`${folder}/`));
  const name = isFolder ? folder : rest.length === 0 && /\.zip$/i.test(first) ? first.slice(0, -4) : "";
  return name.replace(/^train_/i, "");
}
