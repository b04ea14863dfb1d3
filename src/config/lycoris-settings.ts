/** What a configuration says of a LyCORIS network. */
import { hasConvolutions } from "./table/lycoris.ts";
import type { TrainingConfig } from "./parameters.ts";

type NetworkConfig = Pick<TrainingConfig, "network_module" | "network_dim" | "network_alpha" | "conv_dim" | "conv_alpha">;

export function trainsLycoris({ network_module: module }: Pick<TrainingConfig, "network_module">): boolean {
  return module === "lycoris.kohya";
}

/** Rank and alpha of 3×3 convolutions; undefined where they are not trained. What is not set, LyCORIS takes from the other layers. */
export function convSettings(config: NetworkConfig): { readonly rank: number; readonly alpha: number } | undefined {
  const { conv_dim: own, conv_alpha: alpha, network_dim: dim, network_alpha: networkAlpha } = config;
  const isLycoris = trainsLycoris(config);
  const rank = own ?? (isLycoris ? dim : 0);
  return rank === 0 ? undefined : { rank, alpha: alpha ?? (isLycoris ? networkAlpha : 1) };
}

/** Whether 3×3 convolutions are among the layers. */
export function trainsConvolutions(config: NetworkConfig & Pick<TrainingConfig, "preset">): boolean {
  if (convSettings(config) === undefined) return false;
  return !trainsLycoris(config) || hasConvolutions(config.preset);
}
