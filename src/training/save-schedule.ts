/** Which files of the unfinished adapter a run keeps, and which it drops again: sd-scripts' rules. Needs no GPU. */
import { defaultConfig, type TrainingConfig } from "../config/parameters.ts";
import type { FileBytes } from "../formats/streamed-file.ts";
import type { StepPlan } from "./steps.ts";

/** A file of the adapter on the way to the result. */
export interface AdapterSave {
  /** File name without extension, as sd-scripts gives it. */
  readonly name: string;
  /** Updates finished. */
  readonly step: number;
  /** The epoch that the last of them belongs to, from 1. */
  readonly epoch: number;
}

export interface DueSave extends AdapterSave {
  /** The file's `ss_epoch`: the number of the epoch, but counted from 0 in files saved by steps, as sd-scripts does. */
  readonly ssEpoch: number;
  /** The older file that goes once this one is kept; it may be gone already. */
  readonly replaces?: AdapterSave;
  /** Where a state to continue from is wanted beside it: the save whose state goes then. */
  readonly state?: { readonly replaces?: AdapterSave };
}

/** A save with its file. */
export interface SavedAdapter extends DueSave {
  /** To be taken before the update is reported. */
  readonly bytes: FileBytes;
}

type Schedule = Pick<
  TrainingConfig,
  | "output_name" | "save_every_n_epochs" | "save_every_n_steps" | "save_last_n_epochs" | "save_last_n_steps"
  | "save_state" | "save_last_n_epochs_state" | "save_last_n_steps_state"
>;

/**
 * What is saved after `step` updates; nothing before the first. By steps and by epochs go beside each other. The end of
 * the last epoch is the result itself and no save, but a step may be both.
 */
export function savesAfter(schedule: Schedule, steps: StepPlan, step: number): DueSave[] {
  const byStep = stepSave(schedule, steps, step);
  const byEpoch = epochSave(schedule, steps, step);
  return [byStep, byEpoch].filter((save) => save !== undefined);
}

function stepSave(schedule: Schedule, steps: StepPlan, step: number): DueSave | undefined {
  const { save_every_n_steps: every, save_last_n_steps: kept, save_last_n_steps_state: keptStates } = schedule;
  if (every === null || step === 0 || step % every !== 0) return undefined;
  const saveOf = (at: number): AdapterSave => ({ name: stepName(baseName(schedule), at), step: at, epoch: epochOf(steps, at) });
  // The newest save that is more than `last` steps old. Those before it went when it was the newest such.
  const replacedBy = (last: number): number => step - last - 1 - ((step - last - 1) % every);
  const outdated = (last: number | null): Pick<DueSave, "replaces"> =>
    last === null || replacedBy(last) <= 0 ? {} : { replaces: saveOf(replacedBy(last)) };
  return {
    ...saveOf(step), ssEpoch: epochOf(steps, step) - 1, ...outdated(kept),
    ...(schedule.save_state && { state: outdated(keptStates ?? kept) }),
  };
}

function epochSave(schedule: Schedule, steps: StepPlan, step: number): DueSave | undefined {
  const { save_every_n_epochs: every, save_last_n_epochs: kept, save_last_n_epochs_state: keptStates } = schedule;
  if (every === null || step === 0 || step % steps.updatesPerEpoch !== 0) return undefined;
  const epoch = step / steps.updatesPerEpoch;
  if (epoch % every !== 0 || epoch >= steps.epochs) return undefined;
  const saveOf = (number: number): AdapterSave =>
    ({ name: `${baseName(schedule)}-${digits(number, 6)}`, step: number * steps.updatesPerEpoch, epoch: number });
  const outdated = (last: number | null): Pick<DueSave, "replaces"> =>
    last === null || epoch <= every * last ? {} : { replaces: saveOf(epoch - every * last) };
  return { ...saveOf(epoch), ssEpoch: epoch, ...outdated(kept), ...(schedule.save_state && { state: outdated(keptStates ?? kept) }) };
}

/** The name of what a run had after a step: `smith-step00000120`. */
export function stepName(outputName: string, step: number): string {
  return `${outputName}-step${digits(step, 8)}`;
}

function baseName({ output_name }: Schedule): string {
  return output_name === "" ? defaultConfig().output_name : output_name;
}

/** Of an update, from 1. */
function epochOf({ updatesPerEpoch }: StepPlan, step: number): number {
  return Math.ceil(step / updatesPerEpoch);
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, "0");
}
