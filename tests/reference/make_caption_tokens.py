"""Tokens of captions by sd-scripts' own TokenizeStrategy, and how SdTextEncodingStrategy joins the states of their chunks, for
tests/unit/fixtures/caption-tokens.json.

Usage: make_caption_tokens.py PATH_TO_SD_SCRIPTS. Only its methods are taken from there; the tokenizer is transformers'.
Made with sd-scripts 48d368f.
"""

import ast
import json
import logging
import re
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import torch
from transformers import CLIPTokenizer
from transformers.models.clip.tokenization_clip import bytes_to_unicode

OUT = Path(__file__).parents[1] / "unit" / "fixtures" / "caption-tokens.json"

CAT = "A photo of a cat"
PLAIN = ["", CAT, ", ".join([CAT] * 12), ", ".join([CAT] * 13), ", ".join([CAT] * 25), ", ".join([CAT] * 45)]
WEIGHTED = [
    CAT, "(A photo of a cat:1.3)", "a [A photo of a cat] (((a)))", "A photo of a cat (a:0.5) [[a]", "\\(a\\) (a: 1.3) (a",
    " ".join(["(A photo of a cat:0.8), [a]"] * 12), " ".join(["(A photo of a cat:1.25), a"] * 40), ":1.3) a", "a BREAK (a)",
]


def clip_tokenizer(pad: str) -> CLIPTokenizer:
    """OpenAI's tokenizer, put together from the merges that the project carries."""
    merges = (Path(__file__).parents[2] / "src" / "text" / "clip-merges.txt").read_text(encoding="utf-8").split("\n")
    merges = [line for line in merges if line]
    symbols = list(bytes_to_unicode().values())
    vocabulary = [*symbols, *(f"{symbol}</w>" for symbol in symbols), *(line.replace(" ", "") for line in merges)]
    vocabulary += ["<|startoftext|>", "<|endoftext|>"]
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "vocab.json", Path(folder) / "merges.txt"
        files[0].write_text(json.dumps({token: i for i, token in enumerate(vocabulary)}))
        files[1].write_text("\n".join(["#version: 0.2", *merges, ""]))
        return CLIPTokenizer(*map(str, files), pad_token=pad, model_max_length=77)


def strategy(file: Path, name: str, keep: set[str]) -> type:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    node = next(item for item in tree.body if getattr(item, "name", None) == name)
    node.body = [item for item in node.body if isinstance(item, ast.Assign) or getattr(item, "name", None) in keep]
    node.bases = []
    scope = {"re": re, "torch": torch, "logger": logging.getLogger(), "CLIPTokenizer": object, "TokenizeStrategy": object}
    exec("from typing import *", scope)
    exec(compile(ast.Module([node], []), str(file), "exec"), scope)
    return scope[name]


class CountingEncoder:
    """States that tell where they come from: 1000 times the row, plus the token."""

    device = "cpu"

    def __call__(self, tokens):
        rows, length = tokens.shape
        state = torch.arange(rows)[:, None, None] * 1000.0 + torch.arange(length)[None, :, None]
        return [state]


def join_states(library: Path) -> list[dict]:
    encoding = strategy(library / "strategy_sd.py", "SdTextEncodingStrategy", {"encode_tokens", "encode_tokens_with_weights"})()
    encoding.clip_skip = None
    joins = []
    for pad in ("<|endoftext|>", "!"):
        tokenizer = clip_tokenizer(pad)
        for chunks in (1, 2, 3):
            ids = torch.full((2, chunks, 77), tokenizer.pad_token_id)
            weights = 1 + torch.arange(2 * chunks * 77).reshape(2, chunks, 77) / 1024
            weights[:, :, 0] = weights[:, :, -1] = 1
            tokenizing = SimpleNamespace(tokenizer=tokenizer)
            models = [CountingEncoder()]
            plain = encoding.encode_tokens(tokenizing, models, [ids])[0]
            weighted = encoding.encode_tokens_with_weights(tokenizing, models, [ids], [weights])[0]
            joins.append({"chunks": chunks, "plain": plain.flatten().tolist(), "weighted": weighted.flatten().tolist()})
    return joins


def main() -> None:
    library = Path(sys.argv[1]) / "library"
    methods = strategy(library / "strategy_base.py", "TokenizeStrategy", {"_get_weighted_input_ids", "_get_input_ids"})()
    cases = []
    for variant, pad in (("sd1", "<|endoftext|>"), ("sd2", "!")):
        tokenizer = clip_tokenizer(pad)
        for chunks in (1, 2, 3):
            length = 75 * chunks + 2
            for caption in PLAIN:
                ids = methods._get_input_ids(tokenizer, caption, length)
                cases.append({"variant": variant, "chunks": chunks, "caption": caption, "ids": ids.flatten().tolist()})
            for caption in WEIGHTED:
                ids, weights = methods._get_input_ids(tokenizer, caption, length, weighted=True)
                # Weights of the joined text, as encode_tokens_with_weights applies them to it.
                joined = torch.ones(length)
                rows = weights.reshape(chunks, -1)
                if chunks == 1:
                    joined = rows[0]
                for k in range(chunks if chunks > 1 else 0):
                    joined[75 * k + 1 : 75 * k + 76] = rows[k, 1:-1]
                cases.append({
                    "variant": variant, "chunks": chunks, "caption": caption, "ids": ids.flatten().tolist(),
                    "weights": [round(weight, 7) for weight in joined.tolist()],
                })
    OUT.write_text(json.dumps({"tokens": cases, "joins": join_states(library)}) + "\n")


if __name__ == "__main__":
    main()
