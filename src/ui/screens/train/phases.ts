import type { Phase } from "../../../training/events.ts";

/** In the order in which a run goes through them; captions are encoded beforehand only where their encoder is frozen. */
export const runPhases: readonly Phase[] = ["cacheLatents", "cacheText", "load", "compile", "train", "save"];
