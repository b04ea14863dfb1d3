/** The Test screen as a whole: what is asked for and with what, what follows from a change, and what is remembered of it. */
import * as v from "valibot";
import type { AdapterWeight, GenerationRequest } from "../../generation/request.ts";
import { randomSeed } from "../../random/rng.ts";
import type { ModelRef, RunRecord } from "../../storage/database.ts";
import { readSetting, writeSetting } from "../../storage/settings-store.ts";
import type { FinishedPicture, GenerateWorkerApi } from "../../workers/generate-protocol.ts";
import type { ModelSource } from "../../workers/train-protocol.ts";
import { TestAdapters, weightRange } from "./test-adapters.svelte.ts";
import type { StoredAdapter } from "./test-adapters.svelte.ts";
import { speedSchema, TestCosts } from "./test-costs.svelte.ts";
import { TestDrawing } from "./test-drawing.svelte.ts";
import type { GridContext } from "./test-grid.svelte.ts";
import { TestModels } from "./test-models.svelte.ts";
import { mergeRequest, requestSchema, suggestedRequest } from "./test-request.ts";
import type { RequestChange } from "./test-request.ts";

const settingName = "test";
/** A slider at rest for this long is meant; typing has ended. */
const restMs = 250;

const stored = v.object({
  request: v.fallback(requestSchema, suggestedRequest),
  keepsSeed: v.fallback(v.boolean(), true),
  compares: v.fallback(v.boolean(), true),
  redraws: v.fallback(v.boolean(), true),
  /** Side of the pictures that the model or the LoRA was made for, where it is known. */
  nativeSide: v.fallback(v.optional(v.number()), undefined),
  speed: v.fallback(v.optional(speedSchema), undefined),
});

/** Why Generate cannot be pressed; i18n keys under `test.block`. */
export type TestBlocker = "gpu" | "model" | "training" | "otherTab" | "busy";

/** What the bench asks of the page around it. */
export interface BenchHost {
  readonly gpuName: () => string | undefined;
  readonly hasGpu: () => boolean;
  readonly isTraining: () => boolean;
  readonly isOtherTabTraining: () => boolean;
  /** The model of the set-up, to begin with where none is remembered. */
  readonly setupModel: () => { readonly ref: ModelRef; readonly source: ModelSource } | undefined;
  /** What suits a model that comes without a request of the user's. */
  readonly suggestionFor: (model: ModelRef) => Promise<RequestChange>;
  /** A new picture that the user asked for. */
  readonly ondrawn: (picture: FinishedPicture, adapters: readonly AdapterWeight[], model: string) => void;
}

export class TestBench {
  readonly models: TestModels;
  readonly adapters: TestAdapters;
  readonly drawing: TestDrawing;
  readonly costs: TestCosts;
  readonly #host: BenchHost;

  #request: GenerationRequest = $state.raw(suggestedRequest);
  #keepsSeed = $state(true);
  #compares = $state(true);
  #redraws = $state(true);
  #nativeSide: number | undefined = $state();
  #waking: Promise<void> | undefined;
  /** Adapters that wait for a base model. */
  #waiting: readonly StoredAdapter[] = [];
  /** The prompt that was filled in for the user; one typed over it is theirs. */
  #suggestedPrompt = "";
  #drawTimer: ReturnType<typeof setTimeout> | undefined;
  #storeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: () => GenerateWorkerApi, host: BenchHost) {
    this.#host = host;
    this.models = new TestModels(client);
    this.adapters = new TestAdapters(client, () => this.#changed());
    this.drawing = new TestDrawing(client);
    this.costs = new TestCosts(client, {
      gpuName: host.gpuName,
      asked: () => (this.models.model === undefined ? undefined : { request: this.#request, adapters: this.adapters.weights }),
      onspeed: () => this.#remember(),
    });
  }

  get request() {
    return this.#request;
  }
  /** Whether Generate keeps the seed; otherwise it draws a new one each time. */
  get keepsSeed() {
    return this.#keepsSeed;
  }
  get compares() {
    return this.#compares;
  }
  /** Whether a change of a weight draws again by itself. */
  get redraws() {
    return this.#redraws;
  }
  /** Side of the pictures that the model or the LoRA was made for, where it is known. */
  get nativeSide() {
    return this.#nativeSide;
  }

  readonly blockers: readonly TestBlocker[] = $derived.by(() => {
    const found: [TestBlocker, boolean][] = [
      ["gpu", !this.#host.hasGpu()],
      ["training", this.#host.isTraining()],
      ["otherTab", this.#host.isOtherTabTraining()],
      ["busy", this.models.busy !== undefined || this.adapters.busy !== undefined],
      ["model", this.models.model === undefined && this.models.busy === undefined],
    ];
    return found.filter(([, holds]) => holds).map(([blocker]) => blocker);
  });

  /** What a grid draws with. The axes vary the first adapter that acts, or the first one. */
  get gridContext(): GridContext {
    const { list, weights } = this.adapters;
    const subject = list.find(({ unet, textEncoder }) => unet !== 0 || textEncoder !== 0) ?? list[0];
    if (subject === undefined) return { request: this.#request, adapters: [] };
    const { name } = subject.report;
    const hasIt = weights.some((weight) => weight.name === name);
    const adapters = hasIt ? weights : [...weights, { name, unet: subject.unet, textEncoder: subject.textEncoder }];
    return { request: this.#request, adapters, subject: name };
  }

  /** The first look at the screen: brings back what the last visit left. */
  wake(): Promise<void> {
    this.#waking ??= this.#restore();
    return this.#waking;
  }

  /** Opens a run's model and result, and draws with it. `prompt` is used where the user has not written their own. */
  async tryRun(run: RunRecord, suggestion: RequestChange): Promise<void> {
    await this.wake();
    this.suggest({ width: run.config.resolution[0], height: run.config.resolution[1], ...suggestion });
    await this.models.reopen(run.model, true);
    for (const { report } of this.adapters.list) this.adapters.setWeight(report.name, "both", 0);
    this.#waiting = [...this.#waiting, { runId: run.id, unet: 1, textEncoder: 1 }];
    await this.#modelChanged();
    this.#remember();
    if (this.#request.prompt !== "" && this.adapters.weights.length > 0) void this.generate();
  }

  /** As `tryRun`, for a textual inversion: its word stands in prompts under the name of its file. */
  async tryWord(run: RunRecord, suggestion: RequestChange, file: File): Promise<void> {
    await this.wake();
    const { prompt } = suggestion;
    const { token_string: token, resolution: [width, height] } = run.config;
    const named = typeof prompt === "string" && prompt.includes(token) ? prompt.replaceAll(token, () => run.name) : run.name;
    this.suggest({ width, height, ...suggestion, prompt: named });
    await this.models.reopen(run.model, true);
    for (const { report } of this.adapters.list) this.adapters.setWeight(report.name, "both", 0);
    await this.#modelChanged();
    await this.models.addEmbeddings([file]);
    this.#remember();
    if (this.models.model !== undefined) void this.generate();
  }

  /** Fills in a request for the user; a prompt of their own stays. */
  suggest(change: RequestChange): void {
    const { prompt, ...rest } = change;
    const { width, height } = rest;
    if (typeof width === "number" && typeof height === "number") this.#nativeSide = Math.min(width, height);
    const isOwn = this.#request.prompt !== "" && this.#request.prompt !== this.#suggestedPrompt;
    if (isOwn || typeof prompt !== "string") return this.change(rest);
    this.#suggestedPrompt = prompt;
    this.change({ ...rest, prompt });
  }

  /** Settings of an earlier picture. LoRAs that are not open any more are returned by name. */
  recall(request: RequestChange, weights: readonly AdapterWeight[]): string[] {
    this.change(request);
    const wanted = new Map(weights.map((weight) => [weight.name, weight]));
    for (const { report } of this.adapters.list) {
      const { unet, textEncoder } = wanted.get(report.name) ?? { unet: 0, textEncoder: 0 };
      this.adapters.split(report.name, unet !== textEncoder);
      this.adapters.setWeight(report.name, "unet", unet);
      this.adapters.setWeight(report.name, "textEncoder", textEncoder);
      wanted.delete(report.name);
    }
    return [...wanted.keys()];
  }

  /** Takes values of the request as far as they hold. */
  change(change: RequestChange): void {
    this.#request = mergeRequest(this.#request, change);
    this.#remember();
    this.costs.refreshSoon();
  }

  set(options: { readonly keepsSeed?: boolean; readonly compares?: boolean; readonly redraws?: boolean }): void {
    this.#keepsSeed = options.keepsSeed ?? this.#keepsSeed;
    this.#redraws = options.redraws ?? this.#redraws;
    const begins = options.compares === true && !this.#compares;
    this.#compares = options.compares ?? this.#compares;
    this.#remember();
    if (begins && this.drawing.picture !== undefined) this.#drawSoon();
  }

  async pickModel(open: () => Promise<void>): Promise<void> {
    await open();
    this.#nativeSide = undefined;
    await this.#modelChanged();
    this.#remember();
  }

  /** Call after a VAE or an embedding changed. */
  extrasChanged(): void {
    this.costs.refreshSoon();
  }

  async generate(): Promise<void> {
    if (this.blockers.length > 0) return;
    if (!this.#keepsSeed) this.change({ seed: randomSeed() });
    await this.#draw(true);
  }

  async cancel(): Promise<void> {
    clearTimeout(this.#drawTimer);
    await this.drawing.cancel();
  }

  /** Moves the weight of the first adapter that acts, or of the first one: what the keyboard's - and = do. */
  nudgeWeight(steps: number): void {
    const { list } = this.adapters;
    const adapter = list.find(({ unet }) => unet !== 0) ?? list[0];
    if (adapter === undefined) return;
    const weight = Math.min(weightRange.max, Math.max(weightRange.min, adapter.unet + steps * weightRange.step));
    this.adapters.setWeight(adapter.report.name, adapter.isSplit ? "unet" : "both", weight);
  }

  async #restore(): Promise<void> {
    const found = (await readSetting(settingName).catch(() => undefined)) as Record<string, unknown> | undefined;
    const parsed = v.safeParse(stored, found ?? {});
    if (parsed.success) {
      this.#request = parsed.output.request;
      this.#keepsSeed = parsed.output.keepsSeed;
      this.#compares = parsed.output.compares;
      this.#redraws = parsed.output.redraws;
      this.#nativeSide = parsed.output.nativeSide;
      this.costs.speed = parsed.output.speed;
    }
    this.#waiting = (found?.["adapters"] as readonly StoredAdapter[] | undefined) ?? [];
    const ref = found?.["model"] as ModelRef | undefined;
    if (ref !== undefined) await this.models.reopen(ref);
    else {
      const setup = this.#host.setupModel();
      if (setup !== undefined) {
        await this.models.open(setup.ref, setup.source);
        this.suggest(await this.#host.suggestionFor(setup.ref));
      }
    }
    await this.#modelChanged();
  }

  async #modelChanged(): Promise<void> {
    if (this.models.model === undefined) return;
    await this.adapters.reportAgain();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { runId, step, unet, textEncoder } of waiting) {
      await this.adapters.addRun(runId, "", step, { unet, textEncoder });
    }
    this.costs.refreshSoon();
  }

  /** A weight or the list of adapters changed. */
  #changed(): void {
    this.#remember();
    this.costs.refreshSoon();
    if (this.#redraws && this.drawing.picture !== undefined) this.#drawSoon();
  }

  #drawSoon(): void {
    clearTimeout(this.#drawTimer);
    this.#drawTimer = setTimeout(() => {
      if (this.blockers.length === 0) void this.#draw(false);
    }, restMs);
  }

  async #draw(isAsked: boolean): Promise<void> {
    clearTimeout(this.#drawTimer);
    const request = this.#request;
    const adapters = this.adapters.weights;
    const { identity } = this.models;
    const picture = await this.drawing.draw({ identity, request, adapters, compares: this.#compares });
    if (picture === undefined) return;
    if (isAsked) this.#host.ondrawn(picture, adapters, this.models.model?.report.name ?? "");
    await this.costs.learnFrom(picture, { request, adapters });
  }

  #remember(): void {
    clearTimeout(this.#storeTimer);
    this.#storeTimer = setTimeout(() => {
      const model = this.models.ref;
      const value = {
        request: this.#request,
        keepsSeed: this.#keepsSeed,
        compares: this.#compares,
        redraws: this.#redraws,
        ...(this.#nativeSide === undefined ? {} : { nativeSide: this.#nativeSide }),
        ...(this.costs.speed === undefined ? {} : { speed: this.costs.speed }),
        ...(model === undefined ? {} : { model }),
        adapters: [...this.adapters.stored, ...this.#waiting],
      };
      void writeSetting(settingName, value).catch(() => undefined);
    }, restMs);
  }
}
