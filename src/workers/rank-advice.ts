/** What a user should know of the chosen ranks before a run: beyond these they cost more than they bring. */
import { trainsWords } from "../config/trained-words.ts";
import type { TrainingConfig } from "../config/parameters.ts";
import type { PlanAdvice } from "./train-protocol.ts";

/** LyCORIS' guidelines for LoRA, and what is advised for the convolutions of a LoCon. */
const highRank = 64;
const highConvRank = 12;

export function rankAdvice(config: TrainingConfig): PlanAdvice[] {
  const { network_dim: rank, conv_dim: convRank } = config;
  const advice: PlanAdvice[] = [];
  if (trainsWords(config)) return advice;
  if (rank > highRank) {
    const text = `network_dim ${rank} is more than a LoRA needs and overfits sooner; up to ${highRank} is advised`;
    advice.push({ code: "rank.high", data: { rank, most: highRank }, text });
  }
  if (convRank !== null && convRank > highConvRank) {
    const text = `conv_dim ${convRank} makes a large file and overfits sooner; up to ${highConvRank} is advised`;
    advice.push({ code: "rank.highConv", data: { rank: convRank, most: highConvRank }, text });
  }
  return advice;
}
