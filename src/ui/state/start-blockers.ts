/** Why Start cannot be pressed. */
import type { GpuReport } from "../../workers/train-protocol.ts";
import type { Setup } from "./setup.svelte.ts";
import type { TomlPane } from "./toml-pane.svelte.ts";

/** i18n keys under `block`. */
export type Blocker = "gpu" | "model" | "dataset" | "settings" | "problems" | "otherTab" | "busy" | "plan" | "planFailed";

interface Facts {
  readonly setup: Setup;
  readonly toml: TomlPane;
  /** Undefined while it is looked for. */
  readonly gpu: GpuReport | undefined;
  readonly isOtherTabTraining: boolean;
}

/** Everything that is in the way, or the plan where nothing else is. */
export function findBlockers({ setup, toml, gpu, isOtherTabTraining }: Facts): Blocker[] {
  const { form, models, pictures, planner } = setup;
  const found: [Blocker, boolean][] = [
    ["gpu", gpu !== undefined && gpu.status !== "ready"],
    ["otherTab", isOtherTabTraining],
    ["busy", setup.isBusy],
    ["model", models.model === undefined && models.busy === undefined],
    ["dataset", pictures.dataset === undefined && pictures.busy === undefined],
    ["problems", pictures.unusablePaths.length > 0],
    ["settings", !form.isValid || toml.isPending],
  ];
  const blockers = found.filter(([, holds]) => holds).map(([blocker]) => blocker);
  if (blockers.length > 0) return blockers;
  if (planner.error !== undefined) return ["planFailed"];
  return planner.isPlanning || planner.plan?.steps === undefined || gpu === undefined ? ["plan"] : [];
}
