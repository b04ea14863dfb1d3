import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Checkpoint } from "../../src/models/config.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RunHost } from "../../src/cli/run-host.ts";
import { parseConfig } from "../../src/config/config.ts";
import { defaultConfig, suggestedConfig } from "../../src/config/parameters.ts";
import { mergeByStep } from "../../src/storage/trained-store.ts";
import { savesAfter } from "../../src/training/save-schedule.ts";
import { decodeState, type RunState } from "../../src/training/state-file.ts";
import { planSteps } from "../../src/training/steps.ts";

/** 3 updates an epoch, the fifth epoch cut short after two. */
const steps = planSteps({ bucketSizes: [3], batchSize: 1, accumulation: 1, maxSteps: 14, maxEpochs: null });
type Settings = Partial<Parameters<typeof savesAfter>[0]>;
const savesAt = (settings: Settings, step: number) => savesAfter({ ...defaultConfig(), output_name: "n", ...settings }, steps, step);
const saves = (settings: Settings) => Array.from({ length: 15 }, (_, step) => savesAt(settings, step)).flat();
const names = (settings: Settings) => saves(settings).map(({ name }) => name);

/** What is on disk at the end. */
function left(settings: Settings): string[] {
  const files = new Set<string>();
  for (const { name, replaces } of saves(settings)) {
    files.add(name);
    if (replaces !== undefined) files.delete(replaces.name);
  }
  return [...files];
}

describe("files are saved", () => {
  it.each([
    ["never without a schedule", {}, []],
    ["after every epoch but the last, which is the result", { save_every_n_epochs: 1 }, ["n-000001", "n-000002", "n-000003", "n-000004"]],
    ["every n epochs", { save_every_n_epochs: 2 }, ["n-000002", "n-000004"]],
    ["every n steps, the run's last step among them", { save_every_n_steps: 7 }, ["n-step00000007", "n-step00000014"]],
    ["by steps and by epochs beside each other", { save_every_n_epochs: 3, save_every_n_steps: 9 }, ["n-step00000009", "n-000003"]],
    ["under sd-scripts' usual name where there is none", { output_name: "", save_every_n_epochs: 4 }, ["last-000004"]],
  ] as const)("%s", (_, settings, expected) => {
    expect(names(settings)).toEqual(expected);
  });

  it("with the step, the epoch, and an ss_epoch that counts from 0 where they are saved by steps", () => {
    expect(savesAt({ save_every_n_epochs: 1, save_every_n_steps: 3 }, 6)).toEqual([
      { name: "n-step00000006", step: 6, epoch: 2, ssEpoch: 1 },
      { name: "n-000002", step: 6, epoch: 2, ssEpoch: 2 },
    ]);
    expect(savesAt({ save_every_n_steps: 7 }, 7)).toMatchObject([{ epoch: 3, ssEpoch: 2 }]);
  });

  it("not at all by epochs where the whole run is one", () => {
    const one = planSteps({ bucketSizes: [3], batchSize: 1, accumulation: 1, maxSteps: 3, maxEpochs: null });
    const config = { ...defaultConfig(), save_every_n_epochs: 1 };
    expect([0, 1, 2, 3].flatMap((step) => savesAfter(config, one, step))).toEqual([]);
  });
});

describe("older files", () => {
  it.each([
    ["all stay without a limit", { save_every_n_steps: 4 }, ["n-step00000004", "n-step00000008", "n-step00000012"]],
    ["of epochs go by their number", { save_every_n_epochs: 1, save_last_n_epochs: 2 }, ["n-000003", "n-000004"]],
    ["of every second epoch are counted as files", { save_every_n_epochs: 2, save_last_n_epochs: 1 }, ["n-000004"]],
    ["of steps go by their age in steps", { save_every_n_steps: 2, save_last_n_steps: 4 }, ["n-step00000010", "n-step00000012", "n-step00000014"]],
    ["of steps all go but the newest where even it is older than wanted", { save_every_n_steps: 5, save_last_n_steps: 1 }, ["n-step00000010"]],
    ["stay where only the other kind has a limit", { save_every_n_steps: 6, save_last_n_epochs: 1 }, ["n-step00000006", "n-step00000012"]],
  ] as const)("%s", (_, settings, expected) => {
    expect(left(settings)).toEqual(expected);
  });

  it("are those of sd-scripts' example: every 10 steps, the last 30 kept, so step 50 drops step 10", () => {
    const long = planSteps({ bucketSizes: [100], batchSize: 1, accumulation: 1, maxSteps: 100, maxEpochs: null });
    const config = { ...defaultConfig(), output_name: "n", save_every_n_steps: 10, save_last_n_steps: 30 };
    const dropped = [10, 20, 30, 40, 50, 60].map((step) => savesAfter(config, long, step)[0]?.replaces?.step);
    expect(dropped).toEqual([undefined, undefined, undefined, undefined, 10, 20]);
  });
});

describe("states", () => {
  /** Names of the states that are left at the end. */
  function leftStates(settings: Settings): string[] {
    const states = new Set<string>();
    for (const { name, state } of saves({ save_state: true, ...settings })) {
      if (state === undefined) continue;
      states.add(name);
      if (state.replaces !== undefined) states.delete(state.replaces.name);
    }
    return [...states];
  }

  it.each([
    ["come with every file", { save_every_n_epochs: 2, save_every_n_steps: 7 }, ["n-000002", "n-step00000007", "n-000004", "n-step00000014"]],
    ["go with their files", { save_every_n_epochs: 1, save_last_n_epochs: 2 }, ["n-000003", "n-000004"]],
    ["go earlier than their files", { save_every_n_epochs: 1, save_last_n_epochs: 3, save_last_n_epochs_state: 1 }, ["n-000004"]],
    ["stay longer than their files", { save_every_n_epochs: 1, save_last_n_epochs: 1, save_last_n_epochs_state: 3 }, ["n-000002", "n-000003", "n-000004"]],
    ["go by steps where all files stay", { save_every_n_steps: 2, save_last_n_steps_state: 4 }, ["n-step00000010", "n-step00000012", "n-step00000014"]],
    ["go by the files' steps", { save_every_n_steps: 5, save_last_n_steps: 1 }, ["n-step00000010"]],
    ["take the rule of their own kind of file", { save_every_n_epochs: 2, save_last_n_steps_state: 1 }, ["n-000002", "n-000004"]],
    ["do not come without files", {}, []],
    ["come only where they are wanted", { save_state: false, save_every_n_epochs: 1 }, []],
  ] as const)("%s", (_, settings, expected) => {
    expect(leftStates(settings)).toEqual(expected);
  });

  it("leave the rule of the files as it is", () => {
    const settings = { save_every_n_epochs: 1, save_last_n_epochs: 2 };
    expect(left({ ...settings, save_state: true, save_last_n_epochs_state: 1 })).toEqual(left(settings));
  });
});

describe("the settings of saving", () => {
  it("refuse to begin in the middle of a run, and say what does", () => {
    for (const off of [{ initial_epoch: 1, initial_step: 0 }, { initial_epoch: "", initial_step: null }, { skip_until_initial_step: true }]) {
      expect(parseConfig(off, defaultConfig())).toMatchObject({ warnings: [], unknownKeys: [] });
    }
    expect(() => parseConfig({ initial_epoch: 3 }, defaultConfig())).toThrow(/initial_epoch is 3.*save_state/);
    expect(() => parseConfig({ initial_step: "20" }, defaultConfig())).toThrow(/initial_step/);
  });

  it("take kohya's 0 as not set, and are no unknown or unsupported keys", () => {
    const values = { save_every_n_epochs: 2, save_every_n_steps: 0, save_last_n_epochs: "3", save_last_n_steps: 0 };
    const { config, warnings, unknownKeys } = parseConfig(values, defaultConfig());
    expect(config).toMatchObject({ save_every_n_epochs: 2, save_every_n_steps: null, save_last_n_epochs: 3, save_last_n_steps: null });
    expect([warnings, unknownKeys]).toEqual([[], []]);
  });

  it("save every epoch and keep all where nothing else is said on the page", () => {
    expect(suggestedConfig()).toMatchObject({ save_every_n_epochs: 1, save_last_n_epochs: null, save_every_n_steps: null });
  });
});

/** Of the result, which these runs do not come to. */
const unused = { path: "", base: {} as Checkpoint, keepsState: false };

describe("on disk", () => {
  let out: string;
  beforeAll(async () => {
    out = await mkdtemp(join(tmpdir(), "lorasmith-saves-"));
  });
  afterAll(() => rm(out, { recursive: true }));

  it("files lie beside the result, and those replaced are gone, there or not", async () => {
    const host = new RunHost(join(out, "n.state.safetensors"), { out, name: "n", ending: ".safetensors" }, unused);
    const settings = { save_every_n_epochs: 1, save_last_n_epochs: 2 };
    for (const step of [3, 6, 9, 12]) {
      for (const save of savesAt(settings, step)) await host.save({ ...save, bytes: Uint8Array.of(step) });
    }
    expect((await readdir(out)).toSorted()).toEqual(["n-000003.safetensors", "n-000004.safetensors"]);
    expect([...(await readFile(join(out, "n-000004.safetensors")))]).toEqual([12]);
    // As after a resume: the file replaced went before.
    for (const save of savesAt(settings, 12)) await host.save({ ...save, bytes: Uint8Array.of(99) });
    expect((await readdir(out)).length).toBe(2);
  });

  it("states that are wanted lie beside them and can be read", async () => {
    const state: RunState = {
      update: 3, seed: 5, config: defaultConfig(), facts: {} as RunState["facts"], modules: [], weights: new Map(), optimizer: [], kept: new Map(),
    };
    const folder = await mkdtemp(join(out, "states-"));
    const host = new RunHost(join(folder, "n.state.safetensors"), { out: folder, name: "n", ending: ".pt" }, unused);
    const settings = { save_every_n_epochs: 1, save_state: true, save_last_n_epochs_state: 1 };
    for (const step of [3, 6]) {
      for (const save of savesAt(settings, step)) await host.saveState(save, { ...state, update: step });
    }
    for (const save of savesAt({ save_every_n_epochs: 1 }, 9)) await host.saveState(save, state);
    expect(await readdir(folder)).toEqual(["n-000002.state.safetensors"]);
    const read = await decodeState(new Uint8Array(await readFile(join(folder, "n-000002.state.safetensors"))));
    expect([read.update, read.seed]).toEqual([6, 5]);
  });

  it("trouble with one of them ends no run", async () => {
    const host = new RunHost(join(out, "n.state.safetensors"), { out: join(out, "gone"), name: "n", ending: ".safetensors" }, unused);
    const [save] = savesAt({ save_every_n_epochs: 1 }, 3);
    await expect(host.save({ ...save!, bytes: Uint8Array.of(1) })).resolves.toBeUndefined();
  });
});

describe("what a run offers to try out", () => {
  it("has each step once, in order, as a file where there is one", () => {
    const snapshot = (step: number) => ({ step, updates: step, epoch: 1 });
    const file = (step: number, fileName: string) => ({ ...snapshot(step), fileName });
    const merged = mergeByStep([snapshot(5), snapshot(6)], [file(3, "n-000001"), file(6, "n-000002"), file(6, "n-step00000006")]);
    expect(merged.map(({ step, ...entry }) => [step, "fileName" in entry ? entry.fileName : undefined])).toEqual([
      [3, "n-000001"], [5, undefined], [6, "n-000002"],
    ]);
  });
});
