import type { TensorEntry, TensorFile } from "../formats/tensor-file.ts";
import type { NetworkPart } from "./network-names.ts";

export type NetworkAlgorithm = "LoRA" | "LoCon" | "LoHa" | "LoKr" | "full";

/** One adapted module as the header describes it; factors are read later, module by module. */
export interface NetworkModule {
  /** kohya's name where there is one, e.g. `lora_unet_mid_block_attentions_0_proj_in`. */
  readonly name: string;
  readonly nameInFile: string;
  /** LoCon is a LoRA with a kernel larger than 1×1. */
  readonly algorithm: NetworkAlgorithm;
  readonly parts: ReadonlyMap<NetworkPart, TensorEntry>;
  /** 0 where nothing is decomposed. */
  readonly rank: number;
  /** Factor on the difference: alpha / rank where something is decomposed. */
  readonly scale: number;
  /** Rows of the adapted weight. */
  readonly out: number;
  /** Columns of the adapted weight seen as a matrix: input channels times kernel size. */
  readonly width: number;
  /** Input channels, where the file's shapes tell them from the kernel size. */
  readonly channels?: number;
  /** DoRA: magnitudes belong to output rows or to input channels. */
  readonly magnitudes?: "out" | "in";
}

/** Why a part of a file is not applied. Texts of the page are found by it. */
export type MisfitReason =
  /** The model has no layer of this name. */
  | "noLayer"
  /** The layer has another shape. */
  | "otherShape"
  /** A kind of adapter that is not known here: (IA)³, GLoRA, OFT, … */
  | "otherKind"
  /** A trained bias or norm. */
  | "biasOrNorm";

export interface Misfit {
  /** As in the file. */
  readonly name: string;
  readonly reason: MisfitReason;
}

/** An adapter file that has been understood. */
export interface NetworkFile {
  /** The file name without its extension. */
  readonly name: string;
  /** e.g. "LoRA", "LoCon", "LoHa + LoKr", "LoRA + DoRA"; "full" for whole differences; empty where no kind is known. */
  readonly kind: string;
  /** The most frequent one; 0 where nothing is decomposed. */
  readonly rank: number;
  /** The family that it was made for, as far as its names and widths tell. */
  readonly family: "SD1" | "SD2" | "SDXL" | undefined;
  readonly modules: readonly NetworkModule[];
  /** Parts that no model could take here. */
  readonly misfits: readonly Misfit[];
  readonly file: TensorFile;
}
