/** Which tagger is used, and the scores that it gave. They stay, so that options apply without the tagger. */
import { CancelledError, InputError, serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import { readLabels } from "../../tagging/labels.ts";
import type { TagLabel } from "../../tagging/labels.ts";
import type { TagScores } from "../../tagging/scores.ts";
import { tagPictures } from "../../workers/tag-client.ts";
import type { ModelFiles, TagProvider, TimedReading } from "../../workers/tag-protocol.ts";
import { wdTagger } from "../../tagging/catalogue.ts";
import type { DatasetFile } from "../../workers/train-protocol.ts";
import { findDemoTagger } from "./demo-tagger.ts";
import type { DemoTagger } from "./demo-tagger.ts";

/** Every new score means choosing all tags again, so not each is shown at once beyond the first few. */
const shownAtOnce = 8;
const showEveryMs = 400;

export type TaggerChoice = "demo" | "own";

export class TagScoring {
  #demo: DemoTagger | undefined = $state.raw();
  #choice: TaggerChoice = $state("own");
  #own: { readonly model?: File; readonly labels?: File } = $state.raw({});

  #labels: readonly TagLabel[] = $state.raw([]);
  #scores: ReadonlyMap<Blob, TagScores> = $state.raw(new Map());
  #failures: ReadonlyMap<Blob, SerializedError> = $state.raw(new Map());

  #progress: { readonly done: number; readonly total: number } | undefined = $state.raw();
  #provider: TagProvider | undefined = $state();
  #error: SerializedError | undefined = $state.raw();
  #abort = new AbortController();
  /** Rises when scores are forgotten. */
  #round = 0;

  get demo() {
    return this.#demo;
  }
  get choice() {
    return this.#choice;
  }
  get own() {
    return this.#own;
  }
  get isReady() {
    if (this.#choice === "demo") return this.#demo !== undefined;
    return this.#own.model !== undefined && this.#own.labels !== undefined;
  }
  /** What the numbers of a score stand for. */
  get labels() {
    return this.#labels;
  }
  /** By picture. */
  get scores() {
    return this.#scores;
  }
  /** Pictures that no score could be had for. */
  get failures() {
    return this.#failures;
  }
  get progress() {
    return this.#progress;
  }
  get provider() {
    return this.#provider;
  }
  get error() {
    return this.#error;
  }

  /** Looks for the tagger that ships with the page. */
  async prepare(): Promise<void> {
    this.#demo = await findDemoTagger();
    if (this.#demo !== undefined) this.#choice = "demo";
  }

  choose(choice: TaggerChoice): void {
    this.#choice = choice;
    this.forget();
  }

  /** Takes model.onnx and selected_tags.csv, together or one after the other. */
  takeOwn(files: readonly File[]): void {
    const model = files.find(({ name }) => /\.onnx$/i.test(name)) ?? this.#own.model;
    const labels = files.find(({ name }) => /\.csv$/i.test(name)) ?? this.#own.labels;
    this.#own = { ...(model === undefined ? {} : { model }), ...(labels === undefined ? {} : { labels }) };
    this.forget();
    if (files.every(({ name }) => !/\.(onnx|csv)$/i.test(name))) {
      const names = files.map(({ name }) => name).join(", ");
      const message = `${names}: a tagger is a model.onnx and its selected_tags.csv. Choose these two files.`;
      this.#error = serializeError(new InputError("tagger.files", message, { files: names }));
    }
  }

  async run(pictures: readonly DatasetFile[]): Promise<void> {
    this.#error = undefined;
    this.#progress = { done: 0, total: pictures.length };
    this.#abort = new AbortController();
    const files = new Map(pictures.map(({ path, file }) => [path, file]));
    const scores = new Map(this.#scores);
    const failures = new Map(this.#failures);
    let [done, shownAt] = [0, performance.now()];
    const round = this.#round;
    const show = (): void => {
      // Scores of a tagger or dataset that has been given up meanwhile.
      if (round !== this.#round) return;
      this.#scores = new Map(scores);
      this.#failures = new Map(failures);
      shownAt = performance.now();
    };
    const advance = (): void => {
      done += 1;
      this.#progress = { done, total: pictures.length };
      if (done <= shownAtOnce || performance.now() - shownAt > showEveryMs) show();
    };
    try {
      const tagger = await this.#files();
      const list = tagger.files.get("labels")!;
      this.#labels = readLabels(new Uint8Array(await list.file.arrayBuffer()), list.name);
      const observer = {
        opened: (provider: TagProvider) => void (this.#provider = provider),
        read: (path: string, { reading }: TimedReading) => {
          if (reading.kind === "scores") scores.set(files.get(path)!, reading.scores);
          advance();
        },
        failed: (path: string, error: SerializedError) => {
          failures.set(files.get(path)!, error);
          advance();
        },
      };
      const listed = pictures.map(({ path, file }) => ({ id: path, name: path, file: () => file }));
      await tagPictures(tagger, listed, {}, observer, this.#abort.signal);
    } catch (error) {
      if (!(error instanceof CancelledError)) this.#error = serializeError(error);
    } finally {
      show();
      this.#progress = undefined;
    }
  }

  /** Ends the run; what was tagged by then stays. */
  cancel(): void {
    this.#abort.abort(new CancelledError());
  }

  forget(): void {
    this.cancel();
    this.#round += 1;
    this.#scores = new Map();
    this.#failures = new Map();
    this.#provider = undefined;
    this.#error = undefined;
  }

  async #files(): Promise<ModelFiles> {
    if (this.#choice === "demo" && this.#demo !== undefined) return this.#demo.files();
    const { model, labels } = this.#own;
    if (model === undefined || labels === undefined) throw new Error("invariant: no tagger is chosen");
    return {
      manifest: {
        ...wdTagger, id: "own", title: model.name, thresholds: { general: 0.35, character: 0.85 },
        files: { model: { name: model.name }, labels: { name: labels.name } },
      },
      files: new Map([["model", { name: model.name, file: model }], ["labels", { name: labels.name, file: labels }]] as const),
    };
  }
}
