/** What this browser's GPU can do, for plans that are made before anything is allocated. */
import { openGpu } from "../gpu/device.ts";
import { portableTier } from "../gpu/tier.ts";
import type { Tier } from "../gpu/tier.ts";

let known: Promise<Tier> | undefined;

/** Of this browser's adapter; where there is none the plan is for the portable tier, to show something true. */
export function adapterTier(): Promise<Tier> {
  known ??= openGpu(navigator.gpu as GPU | undefined).then(
    (gpu) => {
      gpu.destroy();
      return gpu.tier;
    },
    () => portableTier,
  );
  return known;
}
