/**
 * The settings as TOML beside the form, both ways: the text follows the form, and what is written in it is taken as soon
 * as all of it can be used. Text that cannot be stays as it is, with what is wrong on which line.
 */
import type { TrainingConfig } from "../../config/parameters.ts";
import { differencesBetween, PRESET_KEYS } from "../../config/preset.ts";
import type { LineNote, LineProblem } from "../../config/toml-edit.ts";
import { readToml, tomlOf } from "../../config/toml-edit.ts";
import type { ConfigOrigin } from "./config-origin.svelte.ts";
import type { Setup } from "./setup.svelte.ts";

/** Wait for typing to pause before the text is judged. */
const pauseMs = 400;
const mostSteps = 50;

/** What brings the settings back to before an edit: the values it changed, and nothing that was changed in the form since. */
interface UndoStep {
  readonly values: Partial<TrainingConfig>;
  readonly origin: string | undefined;
}

export class TomlPane {
  readonly #setup: Setup;
  readonly #origin: ConfigOrigin;
  /** What is being written; undefined while the text follows the form. */
  #draft: string | undefined = $state.raw();
  #problems: readonly LineProblem[] = $state.raw([]);
  #notes: readonly LineNote[] = $state.raw([]);
  #steps: readonly UndoStep[] = $state.raw([]);
  /** All that is written between coming and leaving is one step. */
  #isStepOpen = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  readonly text: string = $derived.by(() => this.#draft ?? tomlOf(this.#setup.form.config, this.#origin.text));

  constructor(setup: Setup, origin: ConfigOrigin) {
    this.#setup = setup;
    this.#origin = origin;
  }

  get problems() {
    return this.#problems;
  }
  get notes() {
    return this.#notes;
  }
  /** Whether there is text that was not taken. */
  get isPending() {
    return this.#draft !== undefined && this.#problems.length > 0;
  }
  get canUndo() {
    return this.#steps.length > 0;
  }

  /** Takes the text as it is after a key was pressed. */
  type(text: string): void {
    this.#draft = text;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#judge(text), pauseMs);
  }

  /** Call when writing is over: the text follows the form again, unless it could not be taken. */
  leave(): void {
    clearTimeout(this.#timer);
    if (this.#draft !== undefined) this.#judge(this.#draft);
    if (this.#problems.length === 0) this.#draft = undefined;
    this.#isStepOpen = false;
  }

  /** Gives up what was not taken. */
  discard(): void {
    clearTimeout(this.#timer);
    this.#draft = undefined;
    this.#problems = [];
    this.#notes = [];
    this.#isStepOpen = false;
  }

  /** Takes back the last edit. */
  undo(): void {
    const step = this.#steps.at(-1);
    if (step === undefined) return;
    this.#steps = this.#steps.slice(0, -1);
    this.discard();
    const { form } = this.#setup;
    form.take({ ...form.config, ...step.values }, PRESET_KEYS.filter((key) => Object.hasOwn(step.values, key)));
    this.#origin.set(step.origin);
    this.#setup.settingsChanged();
  }

  #judge(text: string): void {
    const { config, problems, notes } = readToml(text);
    this.#problems = problems;
    this.#notes = notes;
    if (config !== undefined) this.#take(text, config);
  }

  #take(text: string, config: TrainingConfig): void {
    const { form, model } = this.#setup;
    // The model that is open knows better what it is.
    const next = model === undefined ? config : { ...config, v2: model.report.isV2 };
    const before = { config: form.config, origin: this.#origin.text };
    const changed = differencesBetween(before.config, next);
    if (changed.length === 0 && tomlOf(before.config, before.origin) === text) return;
    form.take(next, changed.map(({ key }) => key));
    // Text that the settings alone would not give is kept for what else it says.
    if (tomlOf(form.config, before.origin) !== text) this.#origin.set(text);
    this.#keepStep({ values: Object.fromEntries(changed.map(({ key, from }) => [key, from])), origin: before.origin });
    if (changed.length > 0) this.#setup.settingsChanged();
  }

  #keepStep(step: UndoStep): void {
    const last = this.#isStepOpen ? this.#steps.at(-1) : undefined;
    if (last === undefined) this.#steps = [...this.#steps, step].slice(-mostSteps);
    else this.#steps = [...this.#steps.slice(0, -1), { values: { ...step.values, ...last.values }, origin: last.origin }];
    this.#isStepOpen = true;
  }
}
