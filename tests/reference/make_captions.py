"""What sd-scripts' own process_caption makes of captions, for tests/unit/fixtures/captions.json.

Usage: make_captions.py PATH_TO_SD_SCRIPTS. Only that method is taken from there. Its random numbers come from a list of
draws of U[0, 1), which the fixture holds: choice and shuffle take one draw for each number below n, as floor(u * n).
Made with sd-scripts 48d368f.
"""

import ast
import json
import math
import random
import re
import sys
from pathlib import Path
from types import SimpleNamespace

OUT = Path(__file__).parents[1] / "unit" / "fixtures" / "captions.json"
CASES = 300

RULES = {
    "caption_prefix": "", "caption_suffix": "", "caption_dropout_rate": 0, "caption_dropout_every_n_epochs": 0,
    "caption_tag_dropout_rate": 0, "caption_separator": ",", "secondary_separator": "", "shuffle_caption": False,
    "keep_tokens": 0, "keep_tokens_separator": "", "enable_wildcard": False, "token_warmup_min": 1, "token_warmup_step": 0,
}
CAPTIONS = [
    "sls, 1girl, solo, smile, blue hair, {{literal}}, outdoors",
    " one ,two,, three ,four ",
    "sls, 1girl ||| smile, hat, , blue sky ||| masterpiece, {a|b} ||| end",
    "trigger|||x, y, z",
    "a {red|green|blue} hat; a {cat|dog}, {{not|this}}, ⦅kept⦆",
    "first line, with tags\nsecond {x|y} line\nthird",
    "a sentence without separators",
    "red hair;blue eyes, long;short, {one}, {}",
    "",
    "猫, 坐着, 蓝色;天空, 🐈",
]


class ListedRandom:
    def __init__(self, dice: random.Random):
        self.dice = dice
        self.draws: list[float] = []

    def random(self) -> float:
        self.draws.append(round(self.dice.random(), 6))
        return self.draws[-1]

    def below(self, n: int) -> int:
        return math.floor(self.random() * n)

    def choice(self, options):
        return options[self.below(len(options))]

    def shuffle(self, items: list) -> None:
        for i in reversed(range(1, len(items))):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]


def method(file: Path, class_name: str, name: str, scope: dict) -> object:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    owner = next(item for item in tree.body if getattr(item, "name", None) == class_name)
    node = next(item for item in owner.body if getattr(item, "name", None) == name)
    node.args.args[1].annotation = None
    exec(compile(ast.Module([node], []), str(file), "exec"), scope)
    return scope[name]


def random_rules(dice: random.Random) -> dict:
    options = {
        "caption_prefix": ["best quality,", "by $& $1"], "caption_suffix": [", end"], "caption_dropout_rate": [0.3, 1],
        "caption_dropout_every_n_epochs": [1, 2, 3], "caption_tag_dropout_rate": [0.4, 0.9], "caption_separator": [";", "|"],
        "secondary_separator": [";", ";;"], "shuffle_caption": [True, True], "keep_tokens": [1, 2, 30],
        "keep_tokens_separator": ["|||", "|||"], "enable_wildcard": [True, True], "token_warmup_min": [2, 5],
        "token_warmup_step": [0.25, 10, 37],
    }
    rare = {"caption_dropout_rate", "caption_dropout_every_n_epochs", "caption_separator"}
    rules = dict(RULES)
    for key, values in options.items():
        if dice.random() < (0.15 if key in rare else 0.35):
            rules[key] = dice.choice(values)
    return rules


def main() -> None:
    dice = random.Random(7)
    scope = {"re": re, "math": math}
    process = method(Path(sys.argv[1]) / "library" / "train_util.py", "BaseDataset", "process_caption", scope)
    cases = []
    for number in range(CASES):
        rules = random_rules(dice)
        caption = CAPTIONS[number % len(CAPTIONS)]
        moment = {"epoch": dice.randint(1, 6), "step": dice.choice([0, 3, 9, 12, 36, 40])}
        listed = ListedRandom(dice)
        scope["random"] = listed
        dataset = SimpleNamespace(current_epoch=moment["epoch"], current_step=moment["step"], max_train_steps=90, replacements={})
        result = process(dataset, SimpleNamespace(**rules), caption)
        changed = {key: value for key, value in rules.items() if value != RULES[key]}
        cases.append({"rules": changed, "caption": caption, "moment": moment, "draws": listed.draws, "result": result})
    OUT.write_text(json.dumps({"maxTrainSteps": 90, "cases": cases}, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
