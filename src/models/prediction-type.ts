import type { TensorFile } from "../formats/tensor-file.ts";
import type { Family, PredictionType, UNetConfig } from "./checkpoint-types.ts";

export interface Prediction {
  readonly predictionType: PredictionType;
  readonly predictionSource: string;
}

/** Above this spread of one norm's biases an SD2 model was trained on v; ComfyUI separates the two that way. */
const biasSpread = 0.09;
const tellingBias = "output_blocks.11.1.transformer_blocks.0.norm1.bias";

/**
 * What the UNet predicts. A file seldom says it outright: first its metadata counts, then a marker tensor, then for
 * SD2 a statistic of the weights; everything else is taken as epsilon. Users can override the result.
 */
export async function inferPrediction(
  file: TensorFile,
  family: Family,
  unet: UNetConfig,
  keys: ReadonlyMap<string, string>,
): Promise<Prediction> {
  const stated = file.metadata.get("modelspec.prediction_type")?.toLowerCase();
  if (stated === "v" || stated === "v_prediction") return found("v_prediction", "metadata modelspec.prediction_type");
  if (stated === "epsilon") return found("epsilon", "metadata modelspec.prediction_type");
  if (file.tensors.has("v_pred")) return found("v_prediction", "marker tensor v_pred");
  const key = keys.get(`${unet.prefix}.${tellingBias}`);
  if (family === "sd2" && unet.inChannels === 4 && key !== undefined) {
    const spread = standardDeviation(await file.readF32(key));
    const source = `spread ${spread.toFixed(3)} of ${tellingBias} (v above ${biasSpread})`;
    return found(spread > biasSpread ? "v_prediction" : "epsilon", source);
  }
  return found("epsilon", "default");
}

function found(predictionType: PredictionType, predictionSource: string): Prediction {
  return { predictionType, predictionSource };
}

/** Population standard deviation. */
function standardDeviation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / values.length);
}
