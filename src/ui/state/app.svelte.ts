/** Everything the page knows, made once in the root and handed down by context. */
import { fileEnding } from "../../config/file-ending.ts";
import { suggestedConfig } from "../../config/parameters.ts";
import { isShareLink } from "../../config/share-link.ts";
import { deserializeError, serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { RunRecord } from "../../storage/database.ts";
import { deleteCopy } from "../../storage/opfs.ts";
import { runStore } from "../../storage/run-store.ts";
import type { GenerateClient } from "../../workers/generate-client.ts";
import type { TrainClient } from "../../workers/train-client.ts";
import { isAnyTabTraining } from "../../workers/train-lock.ts";
import type { GpuReport } from "../../workers/train-protocol.ts";
import { I18n } from "../i18n/i18n.svelte.ts";
import { detectLanguage } from "../i18n/languages.ts";
import { download } from "../platform/file-access.ts";
import { loadDemo } from "./demo.ts";
import type { Demo } from "./demo.ts";
import { History } from "./history.svelte.ts";
import { Preferences } from "./preferences.svelte.ts";
import { Presets } from "./presets.svelte.ts";
import { Route } from "./route.svelte.ts";
import { RunMonitor } from "./run-monitor.svelte.ts";
import { Setup } from "./setup.svelte.ts";
import { findBlockers } from "./start-blockers.ts";
import type { Blocker } from "./start-blockers.ts";
import { TestArrivals } from "./test-arrivals.ts";
import { StartWords } from "./start-words.svelte.ts";
import { AutoTags } from "./studio/auto-tags.svelte.ts";
import { ClassPictures } from "./studio/class-pictures.svelte.ts";
import { generatedFiles } from "./studio/generated-files.ts";
import type { Drawn } from "./studio/generated-files.ts";
import { Exporting } from "./studio/exporting.svelte.ts";
import { Importing } from "./studio/importing.svelte.ts";
import { CropBatch } from "./studio/crop-batch.svelte.ts";
import { CropWalk } from "./studio/crop-walk.svelte.ts";
import { Studio } from "./studio/studio.svelte.ts";
import { TestBench } from "./test-bench.svelte.ts";
import { TestExchange } from "./test-exchange.svelte.ts";
import { TestGrid } from "./test-grid.svelte.ts";
import { TomlPane } from "./toml-pane.svelte.ts";

export class App {
  readonly preferences: Preferences;
  readonly i18n: I18n;
  readonly setup: Setup;
  readonly startWords: StartWords;
  readonly presets: Presets;
  readonly toml: TomlPane;
  readonly monitor: RunMonitor;
  readonly client: TrainClient;
  readonly route = new Route();
  readonly history = new History();
  readonly studio = new Studio();
  /** Pictures on their way into the studio's open set. */
  readonly importing = new Importing({
    target: (name) => this.studio.currentOrNew(name === "" ? this.i18n.t("studio.newName", { n: this.studio.sets.length + 1 }) : name),
    resolution: () => Math.min(...this.setup.form.config.resolution),
  });
  readonly autoTags: AutoTags = new AutoTags(this.studio);
  readonly crops: CropBatch = new CropBatch(this.studio, () => this.setup.form.config.resolution);
  readonly cropWalk: CropWalk = new CropWalk(this.studio, {
    config: () => this.setup.form.config,
    usualSize: () => this.crops.size,
  });
  readonly exporting = new Exporting();
  readonly bench: TestBench;
  readonly grid: TestGrid;
  readonly exchange: TestExchange;
  readonly arrivals: TestArrivals;
  readonly classPictures: ClassPictures;
  readonly #startGenerator: () => GenerateClient;
  #generator: GenerateClient | undefined;

  #gpu: GpuReport | undefined = $state.raw();
  #runs: readonly RunRecord[] = $state.raw([]);
  #demo: Demo | undefined = $state.raw();
  #restoring: Promise<void> | undefined;
  #isOtherTabTraining = $state(false);
  #error: SerializedError | undefined = $state.raw();
  #hasNewVersion: (() => void) | undefined = $state.raw();

  /** `startGenerator` is called when pictures are first wanted. */
  constructor(client: TrainClient, preferences: Preferences, startGenerator: () => GenerateClient) {
    this.client = client;
    this.#startGenerator = startGenerator;
    this.preferences = preferences;
    this.i18n = new I18n(preferences.language ?? detectLanguage(navigator.languages));
    this.setup = new Setup(client);
    this.startWords = new StartWords(this.setup);
    this.presets = new Presets(this.setup);
    this.toml = new TomlPane(this.setup, this.presets.origin);
    this.monitor = new RunMonitor(client, preferences.smoothing);
    this.bench = new TestBench(this.generator, {
      gpuName: () => (this.#gpu?.status === "ready" ? this.#gpu.name : undefined),
      hasGpu: () => this.#gpu === undefined || this.#gpu.status === "ready",
      isTraining: () => this.monitor.isLive,
      isOtherTabTraining: () => this.#isOtherTabTraining,
      setupModel: () => this.setup.model,
      suggestionFor: async ({ isDemo }) => (isDemo === true ? ((await loadDemo())?.firstRequest() ?? {}) : {}),
      ondrawn: (picture, adapters, model) => void this.history.add(picture, adapters, model),
    });
    this.exchange = new TestExchange(this.generator, this.bench, this.setup, { take: (sent, png) => this.#toStudio(sent, png) });
    this.classPictures = new ClassPictures({
      generator: this.generator,
      bench: this.bench,
      open: () => this.studio.current,
      take: (files) => this.importing.take(files),
    });
    this.arrivals = new TestArrivals(client, this.bench, this.exchange, {
      demo: () => this.#demo,
      go: () => this.route.go("test"),
      onerror: (error) => this.fail(error),
    });
    this.grid = new TestGrid(this.generator, {
      context: () => this.bench.gridContext,
      snapshots: () => this.bench.adapters.list.flatMap(({ snapshots }) => snapshots),
      open: (snapshots) => this.bench.adapters.openSnapshots(snapshots),
    });
  }

  get gpu() {
    return this.#gpu;
  }
  get runs() {
    return this.#runs;
  }
  /** The worker that draws; it starts with the first call. */
  readonly generator = (): GenerateClient => {
    this.#generator ??= this.#startGenerator();
    return this.#generator;
  };

  /** The demo of this build, once it is known that there is one. */
  get demo() {
    return this.#demo;
  }
  get isOtherTabTraining() {
    return this.#isOtherTabTraining;
  }
  /** A failure that belongs to no part of the page. */
  get error() {
    return this.#error;
  }
  /** Set when a newer version waits; calling it reloads the page. */
  get applyNewVersion() {
    return this.#hasNewVersion;
  }

  readonly blockers: readonly Blocker[] = $derived.by(() =>
    findBlockers({ setup: this.setup, toml: this.toml, gpu: this.#gpu, isOtherTabTraining: this.#isOtherTabTraining }),
  );

  /** Looks at the GPU, brings back the draft, and continues a run that a reload cut off. */
  async wake(): Promise<void> {
    const findingGpu = this.#findGpu();
    void loadDemo().then((demo) => {
      this.#demo = demo;
    });
    try {
      await this.checkOtherTabs();
      await this.refreshRuns();
      this.#restoring = Promise.all([this.setup.restore(), this.presets.wake()]).then(() => undefined);
      await this.followAddress();
      await this.#restoring;
      await findingGpu;
      const unfinished = this.#runs.find(({ state }) => state === "running" || state === "paused" || state === "ready");
      if (unfinished !== undefined && !this.#isOtherTabTraining) {
        await this.monitor.open(unfinished, this.#gpu?.status === "ready");
      }
    } catch (error) {
      this.fail(error);
    }
  }

  /** Call on every `hashchange`: shows the screen that the address names, or opens the preset that it is. */
  async followAddress(): Promise<void> {
    const { hash } = location;
    if (!isShareLink(hash)) {
      this.route.follow();
      return;
    }
    this.route.replaceWith("train");
    // What it is compared with must be there.
    await this.#restoring;
    await this.presets.openLink(hash);
  }

  async start(): Promise<void> {
    const { model, dataset, plan, form, models, networks } = this.setup;
    if (this.blockers.length > 0 || model === undefined || dataset === undefined) return;
    void navigator.storage.persist();
    const run: RunRecord = {
      id: crypto.randomUUID(),
      createdAt: Date.now(),
      name: form.config.output_name || suggestedConfig().output_name,
      config: form.config,
      state: "ready",
      model: model.ref,
      datasetId: dataset.id,
      step: 0,
      totalSteps: plan?.steps?.totalSteps ?? 0,
      ...(this.startWords.chosen && { startWords: this.startWords.chosen }),
      ...(networks.chosen.length > 0 && { startFiles: networks.chosen }),
    };
    const toCopy = models.keepsCopy && model.source.kind === "file" ? model.source.file : undefined;
    await this.monitor.begin(run, model.source, toCopy, (copyName) => this.setup.useCopy(copyName));
    await this.refreshRuns();
  }

  /** From a run back to the set-up. */
  async leaveRun(): Promise<void> {
    this.monitor.close();
    await this.#guard(() => this.refreshRuns());
  }

  /** After a run that diverged: its settings again, gentler. */
  async setUpWithHalfRate(): Promise<void> {
    const { run } = this.monitor;
    if (run === undefined) return;
    this.useSettingsOf(run);
    for (const key of ["learning_rate", "unet_lr", "text_encoder_lr"] as const) {
      const rate = run.config[key];
      if (rate !== null) this.setup.form.set(key, rate / 2);
    }
    this.setup.settingsChanged();
    await this.leaveRun();
  }

  /** The first click of the demo: everything is set up, and only Start is left to press. */
  async openDemo(datasetId?: string): Promise<void> {
    const demo = this.#demo;
    if (demo === undefined || this.monitor.isLive) return;
    this.monitor.close();
    this.route.go("train");
    await this.#guard(async () => {
      const [setup] = await Promise.all([demo.open(datasetId), this.#restoring]);
      await this.setup.useDemo(setup);
    });
  }

  /** The pictures of the set-up in the studio: the set that they came from or became before, else a new one. */
  async prepareDataset(): Promise<void> {
    const { dataset } = this.setup;
    if (dataset === undefined) return;
    const { name, report, files } = dataset;
    this.route.go("dataset");
    await this.studio.wake();
    if (await this.studio.openNamed(name, report.pictureCount + report.regCount)) return;
    await this.studio.create(name);
    await this.importing.take(files);
  }

  async openRun(run: RunRecord): Promise<void> {
    this.route.go("train");
    await this.#guard(() => this.monitor.open(run, false));
  }

  async downloadRun(run: RunRecord): Promise<void> {
    await this.#guard(async () => {
      const bytes = await this.client.result(run.id);
      if (bytes !== undefined) download(bytes, `${run.name}${fileEnding(run.config)}`);
    });
  }

  async deleteRun(run: RunRecord): Promise<void> {
    await this.#guard(async () => {
      await runStore.deleteRun(run.id);
      await this.refreshRuns();
      const { copyName } = run.model;
      const isCopyNeeded = [...this.#runs.map(({ model }) => model), this.setup.model?.ref].some(
        (model) => model?.copyName === copyName,
      );
      if (copyName !== undefined && !isCopyNeeded) await deleteCopy(copyName);
    });
  }

  useSettingsOf(run: RunRecord): void {
    const { model } = this.setup;
    this.setup.networks.adopt(run.startFiles ?? []);
    this.setup.form.load(run.config);
    if (model !== undefined) this.setup.form.set("v2", model.report.isV2);
    this.setup.settingsChanged();
  }

  async refreshRuns(): Promise<void> {
    this.#runs = await runStore.runs();
  }

  async checkOtherTabs(): Promise<void> {
    this.#isOtherTabTraining = !this.monitor.isLive && (await isAnyTabTraining());
  }

  offerNewVersion(apply: () => void): void {
    this.#hasNewVersion = apply;
  }

  fail(error: unknown): void {
    this.#error = serializeError(error);
  }

  dismissError(): void {
    this.#error = undefined;
  }

  async #toStudio(drawn: Drawn, png: Blob): Promise<string | undefined> {
    await this.studio.wake();
    const open = this.studio.current;
    if (open === undefined) return undefined;
    await this.importing.take(generatedFiles(drawn, png, open.subsets));
    if (this.importing.error !== undefined) throw deserializeError(this.importing.error);
    return open.set.name;
  }

  async #findGpu(): Promise<void> {
    try {
      this.#gpu = await this.client.gpu();
    } catch (error) {
      this.#gpu = { status: "missing", reason: "noAdapter" };
      this.fail(error);
    }
  }

  async #guard(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.fail(error);
    }
  }

}
