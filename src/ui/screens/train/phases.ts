import type { Phase } from "../../../training/events.ts";

/** In the order in which a run goes through them. */
export const runPhases: readonly Phase[] = ["load", "cacheLatents", "cacheText", "compile", "train", "save"];
