"""Tokens of captions with words added to the vocabulary as train_textual_inversion.py does, for
tests/unit/fixtures/word-tokens.json. The tokenizer is transformers'.
"""

import json
from pathlib import Path

from make_caption_tokens import clip_tokenizer

OUT = Path(__file__).parents[1] / "unit" / "fixtures" / "word-tokens.json"

CASES = [
    ("mystyle_1", 1, "a photo of mystyle_1"),
    ("mystyle_1", 2, "mystyle_1 mystyle_11, a dog"),
    ("mystyle_1", 3, "a (mystyle_1 mystyle_11 mystyle_12)s Mystyle_1 mystyle_1!"),
    ("sks@", 12, "sks@ sks@1 sks@10 sks@11 sks@2, xsks@y"),
    ("*+?", 2, "what *+? *+?1 is"),
]


def main() -> None:
    out = []
    for variant, pad in (("sd1", "<|endoftext|>"), ("sd2", "!")):
        for token, count, text in CASES:
            tokenizer = clip_tokenizer(pad)
            names = [token, *(f"{token}{i}" for i in range(1, count))]
            assert tokenizer.add_tokens(names) == count
            ids = tokenizer(text, add_special_tokens=False).input_ids
            out.append({"variant": variant, "token": token, "count": count, "text": text, "ids": ids})
    OUT.write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
