/**
 * The taggers and captioners that are known by name. Sizes and hashes are given only where they are known for sure; what a
 * download has is computed and remembered. Thresholds are those at which precision and recall are equal, as the models'
 * pages give them, or their projects' defaults.
 */
import type { ImageInput } from "./image-input.ts";
import type { CaptionerManifest, ConvertedManifest, FlorenceManifest, ModelManifest, TaggerManifest } from "./manifest.ts";

const hub = "https://huggingface.co";
const none = { mean: [0, 0, 0], std: [1, 1, 1] } as const satisfies Partial<ImageInput>;

/** What becomes of a picture before WD14 taggers, as sd-scripts does it: blue first, levels as they are. */
export const wdInput: ImageInput = {
  size: 448, alpha: "white", fit: "pad-white", kernel: "area", layout: "NHWC", channels: "BGR", scale: 1, ...none,
};
export const deepDanbooruInput: ImageInput = {
  size: 512, alpha: "drop", fit: "pad-edge", kernel: "area", layout: "NHWC", channels: "RGB", scale: 1 / 255, ...none,
};
export const clInput: ImageInput = {
  size: 448, alpha: "white", fit: "pad-white", kernel: "bicubic", layout: "NCHW", channels: "BGR", scale: 1 / 255,
  mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5],
};
export const mlDanbooruInput: ImageInput = {
  size: 448, alpha: "white", fit: "squash", kernel: "bicubic", layout: "NCHW", channels: "RGB", scale: 1 / 255, ...none,
};

/** All that WD14 taggers share. */
export const wdTagger = {
  format: "lorasmith-tagger-1", kind: "tagger", input: wdInput, labelFormat: "wd-csv", activation: "none",
} as const satisfies Partial<TaggerManifest>;

function wd(id: string, title: string, general: number): TaggerManifest {
  const page = `${hub}/SmilingWolf/${id}`;
  const file = (name: string) => ({ name, url: `${page}/resolve/main/${name}` });
  return {
    ...wdTagger, id, title, page, licence: "Apache-2.0",
    files: { model: file("model.onnx"), labels: file("selected_tags.csv") },
    thresholds: { general, character: 0.85 },
  };
}

function deepDanbooru(): TaggerManifest {
  const page = `${hub}/chinoll/deepdanbooru`;
  const file = (name: string) => ({ name, url: `${page}/resolve/main/${name}` });
  return {
    format: "lorasmith-tagger-1", kind: "tagger", id: "deepdanbooru-v3", title: "DeepDanbooru v3", page, licence: "MIT",
    files: { model: file("deepdanbooru.onnx"), labels: file("tags.txt") },
    input: deepDanbooruInput, labelFormat: "lines", activation: "none", thresholds: { general: 0.5, character: 0.5 },
  };
}

function cl(): TaggerManifest {
  const page = `${hub}/cella110n/cl_tagger`;
  const file = (name: string) => ({ name, url: `${page}/resolve/main/cl_tagger_1_01/${name}` });
  return {
    format: "lorasmith-tagger-1", kind: "tagger", id: "cl-tagger-1.01", title: "CL tagger 1.01", page, licence: "Apache-2.0",
    files: { model: file("model.onnx"), labels: file("tag_mapping.json") },
    input: clInput, labelFormat: "cl-json", activation: "sigmoid", thresholds: { general: 0.35, character: 0.35 },
  };
}

function mlDanbooru(): TaggerManifest {
  const page = `${hub}/deepghs/ml-danbooru-onnx`;
  const file = (name: string) => ({ name, url: `${page}/resolve/main/${name}` });
  return {
    format: "lorasmith-tagger-1", kind: "tagger", id: "ml-danbooru", title: "ML-Danbooru (TResNet-D)", page, licence: "MIT",
    files: { model: file("TResnet-D-FLq_ema_6-30000.onnx"), labels: file("classes.json") },
    input: mlDanbooruInput, labelFormat: "json-array", activation: "sigmoid", thresholds: { general: 0.7, character: 0.7 },
  };
}

const clip = { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] } as const;
const imageNet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;
const captionerInput = { alpha: "drop", kernel: "bicubic", layout: "NCHW", channels: "RGB", scale: 1 / 255 } as const;
const captionerFiles = {
  encoder: { name: "encoder.onnx" }, decoder: { name: "decoder.onnx" }, vocabulary: { name: "vocab.txt" },
};

/** Settings of kohya's scripts; what they leave open is as in transformers. */
const settings: CaptionerManifest["settings"] = {
  mode: "greedy", beams: 1, lengthPenalty: 1, earlyStopping: false, topP: 0.9, temperature: 1, seed: 42, repetitionPenalty: 1,
  noRepeat: 0, minLength: 0, maxLength: 50, instruction: "",
};

/** Nobody publishes these two as ONNX models of any contract; `tools/captioners` makes them of the originals. */
function blip(size: "base" | "large"): ConvertedManifest {
  return {
    format: "lorasmith-captioner-1", kind: "captioner", id: `blip-${size}`, title: `BLIP ${size}`,
    page: `${hub}/Salesforce/blip-image-captioning-${size}`, licence: "BSD-3-Clause", files: captionerFiles,
    input: { ...captionerInput, size: 384, fit: "squash", mean: [...clip.mean], std: [...clip.std] },
    // [DEC] a picture of
    prompt: [30_522, 1037, 3861, 1997], end: 102, promptText: "a picture of",
    settings: { ...settings, minLength: 5, maxLength: 75 }, removesWords: false,
  };
}

function git(id: string, title: string, values: typeof clip | typeof imageNet): ConvertedManifest {
  return {
    format: "lorasmith-captioner-1", kind: "captioner", id, title, page: `${hub}/microsoft/${id}`, licence: "MIT",
    files: captionerFiles,
    input: { ...captionerInput, size: 224, fit: "crop", mean: [...values.mean], std: [...values.std] },
    prompt: [101], end: 102, promptText: "", settings, removesWords: true,
  };
}

/** What Florence-2 was trained to be asked, from short captions to long ones. */
export const florenceInstructions: readonly string[] = [
  "What does the image describe?", "Describe in detail what is shown in the image.", "Describe with a paragraph what is shown in the image.",
];

function florence(id: string, title: string): FlorenceManifest {
  const page = `${hub}/onnx-community/${id}`;
  const graph = (name: string) => ({ name, url: `${page}/resolve/main/onnx/${name}` });
  return {
    format: "lorasmith-florence-1", kind: "captioner", id, title, page, licence: "MIT",
    files: {
      decoder: graph("decoder_model_merged.onnx"), vision: graph("vision_encoder.onnx"), encoder: graph("encoder_model.onnx"),
      embed: graph("embed_tokens.onnx"), tokenizer: { name: "tokenizer.json", url: `${page}/resolve/main/tokenizer.json` },
    },
    input: { ...captionerInput, size: 768, fit: "squash", mean: [...imageNet.mean], std: [...imageNet.std] },
    // The decoder begins with </s>, and its first word is always <s>.
    prompt: [2, 0], end: 2, promptText: "", removesWords: false,
    settings: { ...settings, beams: 3, earlyStopping: true, noRepeat: 3, maxLength: 200, instruction: florenceInstructions[1] ?? "" },
  };
}

export const catalogue: readonly ModelManifest[] = [
  wd("wd-eva02-large-tagger-v3", "WD EVA02 large v3", 0.5296),
  wd("wd-swinv2-tagger-v3", "WD SwinV2 v3", 0.2653),
  wd("wd-convnext-tagger-v3", "WD ConvNeXt v3", 0.2682),
  wd("wd-vit-tagger-v3", "WD ViT v3", 0.2614),
  // Its page's figure is not known for sure; this is what every tool begins with.
  wd("wd-vit-large-tagger-v3", "WD ViT large v3", 0.35),
  wd("wd-v1-4-moat-tagger-v2", "WD MOAT v2", 0.3771),
  wd("wd-v1-4-swinv2-tagger-v2", "WD SwinV2 v2", 0.3771),
  wd("wd-v1-4-convnextv2-tagger-v2", "WD ConvNeXtV2 v2", 0.371),
  wd("wd-v1-4-convnext-tagger-v2", "WD ConvNeXt v2", 0.3685),
  wd("wd-v1-4-vit-tagger-v2", "WD ViT v2", 0.3537),
  cl(),
  deepDanbooru(),
  mlDanbooru(),
  florence("Florence-2-base-ft", "Florence-2 base"),
  blip("large"),
  blip("base"),
  git("git-large-textcaps", "GIT large TextCaps", clip),
  git("git-base-textcaps", "GIT base TextCaps", imageNet),
  git("git-base", "GIT base", imageNet),
];
