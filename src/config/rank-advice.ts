/** What a user should know of the chosen ranks before a run: beyond these they cost more than they bring. */
import type { Advice } from "./advice.ts";
import { convSettings, trainsConvolutions, trainsLycoris } from "./lycoris-settings.ts";
import type { TrainingConfig } from "./parameters.ts";

/** LyCORIS' guidelines for LoRA and LoHa, and what is advised for the convolutions of a LoCon. A LoKr's rank is free. */
const highRank = 64;
const highLohaRank = 32;
const highConvRank = 12;

export function rankAdvice(config: TrainingConfig): Advice[] {
  const { network_dim: rank } = config;
  const advice: Advice[] = [];
  const algorithm = trainsLycoris(config) ? config.algo : "lora";
  if (config.training_kind !== "lora" || config.dim_from_weights || algorithm === "lokr") return advice;
  const most = algorithm === "loha" ? highLohaRank : highRank;
  if (rank > most) {
    const text = `network_dim ${rank} is more than this kind of network needs and overfits sooner; up to ${most} is advised`;
    advice.push({ code: "rank.high", data: { rank, most }, text });
  }
  const convRank = trainsConvolutions(config) ? (convSettings(config)?.rank ?? 0) : 0;
  const mostConv = algorithm === "loha" ? highLohaRank : highConvRank;
  if (convRank > mostConv) {
    const text = `conv_dim ${convRank} makes a large file and overfits sooner; up to ${mostConv} is advised`;
    advice.push({ code: "rank.highConv", data: { rank: convRank, most: mostConv }, text });
  }
  return advice;
}
