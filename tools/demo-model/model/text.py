"""CLIP's text encoder at a small width, with the real vocabulary, and its tokens for tag captions."""

import json
import tempfile
from functools import cache
from pathlib import Path

import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

BOS, EOS, LENGTH = 49406, 49407, 77
MERGES = Path(__file__).parents[3] / "src/text/clip-merges.txt"


def build_text_encoder(width=64, layers=4):
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // 64,
        max_position_embeddings=LENGTH,
        hidden_act="quick_gelu",
        bos_token_id=BOS,
        eos_token_id=EOS,
        pad_token_id=EOS,
    )
    return CLIPTextModel(config)


@cache
def tokenizer():
    """The tokenizer from the merges that the app ships; the vocabulary follows from them."""
    merges = [line for line in MERGES.read_text("utf-8").splitlines() if line]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in printable] + [chr(256 + n) for n in range(256 - len(printable))]
    words = letters + [letter + "</w>" for letter in letters] + ["".join(merge.split(" ")) for merge in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    assert len(words) == 49408, len(words)
    folder = Path(tempfile.mkdtemp())
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", "utf-8")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))


@cache
def word_ids(text):
    return tokenizer()(text, add_special_tokens=False).input_ids


def caption_ids(tags):
    """Ids [77] of `tag, tag, …`; too long a caption is cut."""
    ids = []
    for tag in tags:
        ids += ([267] if ids else []) + word_ids(tag)
    ids = ids[: LENGTH - 2]
    return [BOS, *ids] + [EOS] * (LENGTH - 1 - len(ids))


def encode(model, ids):
    """Ids [N,77] → hidden states [N,77,width] after the final norm (clip skip 1)."""
    return model(input_ids=ids).last_hidden_state


def init_tokens(model, seed=0):
    """Every word gets its own direction, so that one the base model never saw can still be learned by a LoRA."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        table = model.text_model.embeddings.token_embedding.weight
        table.copy_(torch.randn(table.shape, generator=generator) * 0.1)
        model.text_model.embeddings.position_embedding.weight.mul_(2.0)
