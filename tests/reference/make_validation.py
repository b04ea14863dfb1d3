"""What sd-scripts holds out and at which timesteps it validates, for tests/unit/fixtures/validation.json.

The split follows split_train_val of sd-scripts 48d368f: Python's own random.shuffle after random.seed(validation_seed), the
first ceil(n * (1 - split)) are trained on and the last round(n * split) held out, which may overlap by one.
"""

import json
import math
import random
from pathlib import Path

import numpy as np

OUT = Path(__file__).parents[1] / "unit" / "fixtures" / "validation.json"


def split(count: int, share: float, seed: int) -> dict:
    pictures = list(range(count))
    random.seed(seed)
    random.shuffle(pictures)
    trained = pictures[: math.ceil(count * (1 - share))]
    held = pictures[count - round(count * share):]
    return {"count": count, "share": share, "seed": seed, "trained": sorted(trained), "held": sorted(held)}


def timesteps(low: int | None, high: int | None) -> dict:
    values = np.linspace(0 if low is None else low, 1000 if high is None else high, 6, dtype=int)[1:-1]
    return {"min": low, "max": high, "timesteps": values.tolist()}


def main() -> None:
    dice = random.Random(9)
    cases = [(dice.randint(1, 40), dice.choice([0.1, 0.2, 0.25, 0.3, 0.5]), dice.choice([0, 1, 42, 2**31, 2**32 - 1])) for _ in range(40)]
    splits = [split(*case) for case in [*cases, (700, 0.1, 7)]]
    ranges = [timesteps(*pair) for pair in [(None, None), (100, None), (None, 500), (3, 998), (17, 201), (0, 7)]]
    OUT.write_text(json.dumps({"splits": splits, "timesteps": ranges}) + "\n")


if __name__ == "__main__":
    main()
