"""Tiny BLIP and GIT models with random weights, converted as tools/captioners converts real ones, and what transformers'
own processors and `generate` make of pictures with the originals.

Writes data/captioner-blip/ and data/captioner-git/: encoder.onnx, decoder.onnx, vocab.txt, captioner.json, expected.json.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import (
    BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, CLIPImageProcessor, GitConfig, GitForCausalLM,
)
from transformers.generation.logits_process import (
    LogitsProcessorList, MinLengthLogitsProcessor, RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper, TopPLogitsWarper,
)

from make_tagger import encoded, picture
from pillow_rows import resize_rows_first

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT.parent.parent / "tools" / "captioners"))
from convert import export, manifest_of  # noqa: E402

PICTURES = [(61, 47, False), (32, 32, True), (20, 45, False), (3, 2, True)]
SIZE = 32
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]

# The pieces that decoding has rules for, and words to fill up.
VOCABULARY = """[PAD] [UNK] [CLS] [SEP] [MASK] a picture of . , ! ? ' - s m re ve t n't ##s ##ing ##ed ##er ##n ##' the with
and is man woman girl boy dog cat smith hammer apron glove hat sitting standing holding red blue green brown black white on in
under behind tree house table sky water fire hand hands face drawing photo anime style says that word words sign number name 1 2
naïve 男 ♥ it [DEC]""".split()

BEAMS = [
    {"num_beams": 2, "max_length": 14},
    {"num_beams": 3, "max_length": 16, "min_length": 7},
    {"num_beams": 4, "max_length": 12, "length_penalty": 2.0},
    {"num_beams": 3, "max_length": 12, "length_penalty": 0.0, "early_stopping": True},
    {"num_beams": 3, "max_length": 15, "length_penalty": -1.0, "early_stopping": "never", "min_length": 6},
    {"num_beams": 5, "max_length": 13, "repetition_penalty": 1.3, "early_stopping": "never", "length_penalty": 1.5},
    {"num_beams": 8, "max_length": 20, "repetition_penalty": 1.1, "min_length": 10},
]
GREEDY = [
    {"max_length": 12},
    {"max_length": 18, "min_length": 9},
    {"max_length": 18, "repetition_penalty": 1.5, "min_length": 5},
    {"max_length": 5},
]
NUCLEUS = [
    {"top_p": 0.9, "max_length": 16, "min_length": 5, "repetition_penalty": 1.1},
    {"top_p": 0.6, "temperature": 1.7, "max_length": 16},
    {"top_p": 1.0, "temperature": 2.5, "max_length": 14},
]


def text_config(**more) -> dict:
    return dict(vocab_size=len(VOCABULARY), hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=3,
                max_position_embeddings=32, initializer_range=0.35, pad_token_id=0, **more)


def vision_config() -> dict:
    return dict(hidden_size=24, intermediate_size=48, num_hidden_layers=1, num_attention_heads=3, image_size=SIZE, patch_size=8,
                initializer_range=0.3)


def blip() -> BlipForConditionalGeneration:
    torch.manual_seed(3)
    text = text_config(encoder_hidden_size=24, bos_token_id=len(VOCABULARY) - 1, eos_token_id=2, sep_token_id=3)
    return BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision_config())).eval()


def git() -> GitForCausalLM:
    torch.manual_seed(4)
    return GitForCausalLM(GitConfig(**text_config(bos_token_id=2, eos_token_id=3), vision_config=vision_config())).eval()


def spread(model) -> None:
    """Random layers would say much the same of every picture, and end nowhere."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "position_embedding" in name or "class_embedding" in name:
                parameter.normal_(0, 0.3)
        head = model.text_decoder.cls.predictions.decoder if isinstance(model, BlipForConditionalGeneration) else model.output
        head.weight.mul_(0.8)
        head.bias.normal_(0, 0.3)
        head.bias[3] += 4 if isinstance(model, BlipForConditionalGeneration) else 1.6


def logits_of(model, pixels: torch.Tensor, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(pixel_values=pixels, input_ids=torch.tensor([ids])).logits[:, -1].float()


def sample(model, pixels: torch.Tensor, prompt: list[int], settings: dict, draws: list[float]) -> list[int]:
    """`generate` with `do_sample`, but the draw is a number that is given: the first token, by number, at which the sum of
    probabilities is above it."""
    processors = LogitsProcessorList()
    if "repetition_penalty" in settings:
        processors.append(RepetitionPenaltyLogitsProcessor(settings["repetition_penalty"]))
    if "min_length" in settings:
        processors.append(MinLengthLogitsProcessor(settings["min_length"], 3))
    if "temperature" in settings:
        processors.append(TemperatureLogitsWarper(settings["temperature"]))
    if settings["top_p"] < 1:
        processors.append(TopPLogitsWarper(settings["top_p"]))
    ids = list(prompt)
    for draw in draws:
        scores = processors(torch.tensor([ids]), logits_of(model, pixels, ids))
        sums = np.cumsum(torch.softmax(scores.double(), dim=-1)[0].numpy())
        ids.append(int(np.argmax(sums > draw)))
        if ids[-1] == 3 or len(ids) >= settings["max_length"]:
            break
    return ids


def trimmed(ids: torch.Tensor) -> list[int]:
    """Without what fills up behind the end."""
    found = ids[0].tolist()
    while found[-1] == 0:
        found.pop()
    return found


def make(name: str, model, processor) -> None:
    out = ROOT / "data" / f"captioner-{name}"
    out.mkdir(exist_ok=True)
    (out / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    tokenizer = BertTokenizer(str(out / "vocab.txt"), additional_special_tokens=["[DEC]"])
    spread(model)
    export(model, out)
    manifest = manifest_of(model, processor.to_dict(), tokenizer, f"tiny-{name}", f"Tiny {name.upper()}")
    (out / "captioner.json").write_text(json.dumps(manifest, indent=1) + "\n")
    prompt = manifest["prompt"]
    rng = np.random.default_rng(5)
    pictures = []
    for width, height, alpha in PICTURES:
        rgba = picture(width, height, alpha)
        pixels = processor(Image.fromarray(rgba, "RGBA").convert("RGB"), return_tensors="pt").pixel_values
        runs = []
        for settings in [*GREEDY, *BEAMS]:
            arguments = {"pixel_values": pixels, "do_sample": False, **settings}
            if name == "blip":
                # Its last token is taken for the end of the prompt and dropped.
                arguments["input_ids"] = torch.tensor([[*prompt, 3]])
            tokens = trimmed(model.generate(**arguments))
            text = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=True)
            runs.append({"settings": settings, "tokens": tokens, "text": text})
        for settings in NUCLEUS:
            draws = rng.random(settings["max_length"]).tolist()
            runs.append({"settings": settings, "draws": draws, "tokens": sample(model, pixels, prompt, settings, draws)})
        pictures.append({
            "width": width, "height": height, "rgba": encoded(rgba), "runs": runs,
            "pixels": [round(float(value), 5) for value in pixels.flatten()[::7]],
            "logits": [float(value) for value in logits_of(model, pixels, prompt)[0]],
        })
    decoded = []
    for _ in range(12):
        tokens = rng.integers(0, len(VOCABULARY), 14).tolist()
        text = tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=True)
        decoded.append({"tokens": tokens, "text": text})
    (out / "expected.json").write_text(json.dumps({"pictures": pictures, "decoded": decoded}) + "\n")


def main() -> None:
    resize_rows_first()
    size = {"height": SIZE, "width": SIZE}
    make("blip", blip(), BlipImageProcessor(size=size, image_mean=CLIP_MEAN, image_std=CLIP_STD))
    clip = CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size=size, image_mean=CLIP_MEAN, image_std=CLIP_STD)
    make("git", git(), clip)


if __name__ == "__main__":
    main()
