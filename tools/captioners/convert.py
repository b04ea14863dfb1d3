"""Makes encoder.onnx, decoder.onnx, vocab.txt and captioner.json of a BLIP or GIT model, as Lorasmith reads them.

    python tools/captioners/convert.py MODEL OUT [--id ID] [--title TITLE]

MODEL is a folder with config.json, the weights (safetensors or .bin), vocab.txt and preprocessor_config.json, or the
name of such a model on the Hugging Face hub, which is then downloaded. See README.md for what is needed.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from torch import nn
from transformers import (
    AutoConfig, AutoImageProcessor, AutoTokenizer, BlipForConditionalGeneration, GitForCausalLM, PreTrainedModel,
)

from text_decoder import CrossEncoder, PrefixEncoder, TextDecoder

OPSET = 17
KERNELS = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
# What is cut off in front of BLIP's captions, and what kohya's script has for prompt.
BLIP_PROMPT = "a picture of "


def parts_of(model: PreTrainedModel) -> tuple[nn.Module, nn.Module, dict]:
    """Encoder, decoder, and the shape of one layer's cache: layers, heads, size of a head."""
    if isinstance(model, BlipForConditionalGeneration):
        config, bert = model.config.text_config, model.text_decoder.bert
        layers, embeddings, head, is_prefix = bert.encoder.layer, bert.embeddings, model.text_decoder.cls, False
        encoder = CrossEncoder(model.vision_model, layers, config.num_attention_heads)
    elif isinstance(model, GitForCausalLM):
        config, git = model.config, model.git
        layers, embeddings, head, is_prefix = git.encoder.layer, git.embeddings, model.output, True
        encoder = PrefixEncoder(git.image_encoder, git.visual_projection, layers, config.num_attention_heads)
    else:
        raise SystemExit(f"{type(model).__name__} is neither BLIP for captions nor GIT.")
    if getattr(config, "position_embedding_type", "absolute") != "absolute":
        raise SystemExit(f"Positions of the kind {config.position_embedding_type} are not known here.")
    heads = config.num_attention_heads
    decoder = TextDecoder(embeddings, layers, head, heads, is_prefix)
    return encoder, decoder, {"layers": len(layers), "heads": heads, "size": config.hidden_size // heads}


def export(model: PreTrainedModel, out: Path) -> None:
    """Writes encoder.onnx and decoder.onnx."""
    encoder, decoder, shape = parts_of(model.float())
    # Exporting puts a module back into the mode that it was in, with all that is in it.
    encoder.eval()
    decoder.eval()
    size = model.config.vision_config.image_size
    with torch.no_grad():
        pixels = torch.zeros(1, 3, size, size)
        keys, values = encoder(pixels)
        torch.onnx.export(
            encoder, (pixels,), str(out / "encoder.onnx"), dynamo=False, opset_version=OPSET,
            input_names=["pixel_values"], output_names=["keys", "values"],
        )
        past = torch.zeros(shape["layers"], 1, shape["heads"], 2, shape["size"])
        names = ["past_keys", "past_values"], ["present_keys", "present_values"]
        torch.onnx.export(
            decoder, (torch.zeros(1, 3, dtype=torch.int64), keys, values, past, past), str(out / "decoder.onnx"),
            dynamo=False, opset_version=OPSET, input_names=["input_ids", "keys", "values", *names[0]],
            output_names=["logits", *names[1]],
            dynamic_axes={
                "input_ids": {1: "new"}, **{name: {3: "past"} for name in names[0]}, **{name: {3: "all"} for name in names[1]},
            },
        )


def prepared(processor: dict, size: int) -> dict:
    """What becomes of a picture, from the words of preprocessor_config.json."""
    resample = processor.get("resample", 3)
    if resample not in KERNELS:
        raise SystemExit(f"Pictures are resized by a kernel that is not known here (resample {resample}).")
    if processor.get("do_center_crop", False):
        fit = "crop"
    else:
        fit = "squash"
    return {
        "size": size, "alpha": "drop", "fit": fit, "kernel": KERNELS[resample], "layout": "NCHW", "channels": "RGB",
        "scale": processor.get("rescale_factor", 1 / 255), "mean": list(processor["image_mean"]), "std": list(processor["image_std"]),
    }


def manifest_of(model: PreTrainedModel, processor: dict, tokenizer, name: str, title: str) -> dict:
    is_blip = isinstance(model, BlipForConditionalGeneration)
    text = model.config.text_config if is_blip else model.config
    prompt = [text.bos_token_id]
    if is_blip:
        prompt += tokenizer(BLIP_PROMPT, add_special_tokens=False).input_ids
    settings = {
        "mode": "greedy", "beams": 3, "lengthPenalty": 1, "topP": 0.9, "temperature": 1, "seed": 42,
        "repetitionPenalty": 1, "minLength": 5 if is_blip else 0, "maxLength": 75 if is_blip else 50,
    }
    return {
        "format": "lorasmith-captioner-1", "kind": "captioner", "id": name, "title": title,
        "files": {key: {"name": file} for key, file in
                  [("encoder", "encoder.onnx"), ("decoder", "decoder.onnx"), ("vocabulary", "vocab.txt")]},
        "input": prepared(processor, model.config.vision_config.image_size),
        "prompt": prompt, "end": text.sep_token_id if is_blip else text.eos_token_id,
        "promptText": BLIP_PROMPT.strip() if is_blip else "", "settings": settings,
        # GIT makes up words that are written in pictures.
        "removesWords": not is_blip,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder, or name on the hub")
    parser.add_argument("out", type=Path)
    parser.add_argument("--id", help="name of the model in Lorasmith; default: that of the output folder")
    parser.add_argument("--title", help="what people see; default: the same")
    options = parser.parse_args()
    kind = AutoConfig.from_pretrained(options.model).model_type
    classes = {"blip": BlipForConditionalGeneration, "git": GitForCausalLM}
    if kind not in classes:
        raise SystemExit(f"A model of the kind “{kind}” can't be converted; blip and git can.")
    model = classes[kind].from_pretrained(options.model)
    processor = AutoImageProcessor.from_pretrained(options.model, use_fast=False).to_dict()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    options.out.mkdir(parents=True, exist_ok=True)
    export(model, options.out)
    for file in map(Path, tokenizer.save_vocabulary(str(options.out))):
        if file.name != "vocab.txt":
            shutil.move(file, options.out / "vocab.txt")
    name = options.id or options.out.resolve().name
    manifest = manifest_of(model, processor, tokenizer, name, options.title or name)
    (options.out / "captioner.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    print(f"Wrote {options.out}: choose these four files in Lorasmith, or give the folder to `lorasmith tag --model`.")


if __name__ == "__main__":
    main()
