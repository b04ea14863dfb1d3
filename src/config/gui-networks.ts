/** kohya_ss' "LoRA type" and the fields that go with it, from and to sd-scripts' network_module and its arguments. */
import { convSettings, trainsLycoris } from "./lycoris-settings.ts";
import { isLycorisKey } from "./table/lycoris.ts";
import type { ParameterKey, TrainingConfig } from "./parameters.ts";

/** The GUI's types that LyCORIS trains, and their algorithms. */
export const GUI_ALGORITHMS: Readonly<Partial<Record<string, TrainingConfig["algo"]>>> = {
  "LyCORIS/LoCon": "locon", "LyCORIS/LoHa": "loha", "LyCORIS/LoKr": "lokr",
};

/** Settings that the type and its fields are made of. */
export const TYPE_KEYS: readonly ParameterKey[] = ["network_module", "algo", "preset", "conv_dim", "conv_alpha"];

/** Fields of the GUI's LyCORIS types that are no settings here. */
const OTHER_FIELDS = ["train_norm"];

/** Sets what the type of network means, and drops what the GUI keeps for other types. */
export function setNetwork(gui: Readonly<Record<string, unknown>>, values: Map<string, unknown>): void {
  const type = String(gui["LoRA_type"] ?? "");
  const algorithm = GUI_ALGORITHMS[type];
  for (const key of values.keys()) if (algorithm === undefined && (isLycorisKey(key) || OTHER_FIELDS.includes(key))) values.delete(key);
  if (algorithm === undefined) {
    if (type !== "Kohya LoCon") for (const key of ["conv_dim", "conv_alpha"]) values.delete(key);
    values.delete("network_module");
    return;
  }
  values.set("network_module", "lycoris.kohya");
  values.set("algo", algorithm);
  if (Object.hasOwn(gui, "LyCORIS_preset")) values.set("preset", gui["LyCORIS_preset"]);
  if (!Object.hasOwn(gui, "use_tucker") && Object.hasOwn(gui, "use_cp")) values.set("use_tucker", gui["use_cp"]);
  values.delete("LyCORIS_preset");
}

/** Writes the type of network and its fields. */
export function writeNetwork(gui: Map<string, unknown>, config: TrainingConfig): void {
  gui.set("LoRA_type", typeOf(config));
  const conv = convSettings(config);
  if (trainsLycoris(config)) {
    gui.set("LyCORIS_preset", config.preset);
    for (const key of ["use_tucker", "use_scalar", "dora_wd", "rank_dropout_scale", "factor", "decompose_both"] as const) gui.set(key, config[key]);
  }
  if (conv !== undefined || config.conv_dim !== null) gui.set("conv_dim", conv?.rank ?? 0);
  if (conv !== undefined) gui.set("conv_alpha", conv.alpha);
}

function typeOf(config: TrainingConfig): string {
  if (!trainsLycoris(config)) return config.conv_dim === null ? "Standard" : "Kohya LoCon";
  const algorithm = config.algo === "lora" ? "locon" : config.algo;
  return Object.entries(GUI_ALGORITHMS).find(([, name]) => name === algorithm)?.[0] ?? "Standard";
}

/** Whether a difference between a setting and its field means nothing: what is not set is written as the number that it means. */
export function isIdleNetworkKey(key: ParameterKey, config: TrainingConfig): boolean {
  const isLycoris = trainsLycoris(config);
  if (key === "conv_alpha") return config.conv_alpha === null || convSettings(config) === undefined;
  if (key === "conv_dim") return isLycoris && config.conv_dim === null;
  if (key === "algo") return !isLycoris || config.algo === "lora";
  return isLycorisKey(key) && !isLycoris;
}
