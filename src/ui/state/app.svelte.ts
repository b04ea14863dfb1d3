/** Everything the page knows, made once in the root and handed down by context. */
import { suggestedConfig } from "../../config/parameters.ts";
import { serializeError } from "../../errors.ts";
import type { SerializedError } from "../../errors.ts";
import type { RunRecord } from "../../storage/database.ts";
import { deleteCopy } from "../../storage/opfs.ts";
import { runStore } from "../../storage/run-store.ts";
import type { TrainClient } from "../../workers/train-client.ts";
import { isAnyTabTraining } from "../../workers/train-lock.ts";
import type { GpuReport } from "../../workers/train-protocol.ts";
import { I18n } from "../i18n/i18n.svelte.ts";
import { detectLanguage } from "../i18n/languages.ts";
import { download } from "../platform/file-access.ts";
import { loadDemo } from "./demo.ts";
import type { Demo } from "./demo.ts";
import { Preferences } from "./preferences.svelte.ts";
import { Route } from "./route.svelte.ts";
import { RunMonitor } from "./run-monitor.svelte.ts";
import { Setup } from "./setup.svelte.ts";

/** Why Start cannot be pressed; i18n keys under `block`. */
export type Blocker = "gpu" | "model" | "dataset" | "settings" | "problems" | "otherTab" | "busy" | "plan" | "planFailed";

export class App {
  readonly preferences: Preferences;
  readonly i18n: I18n;
  readonly setup: Setup;
  readonly monitor: RunMonitor;
  readonly client: TrainClient;
  readonly route = new Route();

  #gpu: GpuReport | undefined = $state.raw();
  #runs: readonly RunRecord[] = $state.raw([]);
  #demo: Demo | undefined = $state.raw();
  #restoring: Promise<void> | undefined;
  #isOtherTabTraining = $state(false);
  #error: SerializedError | undefined = $state.raw();
  #hasNewVersion: (() => void) | undefined = $state.raw();

  constructor(client: TrainClient, preferences: Preferences) {
    this.client = client;
    this.preferences = preferences;
    this.i18n = new I18n(preferences.language ?? detectLanguage(navigator.languages));
    this.setup = new Setup(client);
    this.monitor = new RunMonitor(client, preferences.smoothing);
  }

  get gpu() {
    return this.#gpu;
  }
  get runs() {
    return this.#runs;
  }
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

  readonly blockers: readonly Blocker[] = $derived.by(() => this.#findBlockers());

  /** Looks at the GPU, brings back the draft, and continues a run that a reload cut off. */
  async wake(): Promise<void> {
    const findingGpu = this.#findGpu();
    void loadDemo().then((demo) => {
      this.#demo = demo;
    });
    try {
      await this.checkOtherTabs();
      await this.refreshRuns();
      this.#restoring = this.setup.restore();
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

  async start(): Promise<void> {
    const { model, dataset, plan, form, keepsCopy } = this.setup;
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
    };
    const toCopy = keepsCopy && model.source.kind === "file" ? model.source.file : undefined;
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

  async openRun(run: RunRecord): Promise<void> {
    this.route.go("train");
    await this.#guard(() => this.monitor.open(run, false));
  }

  async downloadRun(run: RunRecord): Promise<void> {
    await this.#guard(async () => {
      const bytes = await this.client.result(run.id);
      if (bytes !== undefined) download(bytes, `${run.name}.safetensors`);
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

  #findBlockers(): Blocker[] {
    const { setup } = this;
    const found: [Blocker, boolean][] = [
      ["gpu", this.#gpu !== undefined && this.#gpu.status !== "ready"],
      ["otherTab", this.#isOtherTabTraining],
      ["busy", setup.isBusy],
      ["model", setup.model === undefined && setup.modelBusy === undefined],
      ["dataset", setup.dataset === undefined && setup.datasetBusy === undefined],
      ["problems", setup.unusablePaths.length > 0],
      ["settings", !setup.form.isValid],
    ];
    const blockers = found.filter(([, holds]) => holds).map(([blocker]) => blocker);
    if (blockers.length > 0) return blockers;
    if (setup.planError !== undefined) return ["planFailed"];
    return setup.isPlanning || setup.plan?.steps === undefined || this.#gpu === undefined ? ["plan"] : [];
  }
}
