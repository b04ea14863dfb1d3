/** How a LoRA starts: down uniform in ±1/√fan_in (kaiming with a = √5), up zero; as sd-scripts. */
import { uniform } from "../random/rng.ts";
import { downWidth, type AdapterSet, type ModuleWeights } from "../lora/adapter-set.ts";

/** Initial factors of every module by kohya name; they depend on the seed and the module's place in the list only. */
export function initialAdapter(adapters: AdapterSet, seed: number): Map<string, ModuleWeights> {
  return new Map(
    adapters.targets.map((target, index) => {
      const width = downWidth(target);
      const bound = 1 / Math.sqrt(width);
      const down = uniform(seed, "loraInit", index, target.rank * width).map((value) => (2 * value - 1) * bound);
      return [target.name, { down, up: new Float32Array(target.out * target.rank) }];
    }),
  );
}
