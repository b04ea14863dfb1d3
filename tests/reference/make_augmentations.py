"""sd-scripts' color_aug and face crops, for tests/unit/fixtures/augmentations.json.

Usage: make_augmentations.py PATH_TO_SD_SCRIPTS, with OpenCV. Its own AugHelper.color_aug and crop_target run with draws that
are listed: `uniform` in [0, 1), `below` as whole numbers from 0. Made with sd-scripts 48d368f.
"""

import ast
import base64
import json
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

OUT = Path(__file__).parents[1] / "unit" / "fixtures" / "augmentations.json"


class Draws:
    """Stands in for Python's random and writes down what it gives."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.listed: list[dict] = []

    def random(self) -> float:
        value = self.dice.random()
        self.listed.append({"uniform": value})
        return value

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self.random()

    def randint(self, low: int, high: int) -> int:
        value = self.dice.randint(low, high)
        self.listed.append({"below": value - low, "limit": high - low + 1})
        return value


def method(file: Path, owner: str, name: str, scope: dict) -> object:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    parent = next(item for item in tree.body if getattr(item, "name", None) == owner)
    node = next(item for item in parent.body if getattr(item, "name", None) == name)
    exec(compile(ast.Module([node], []), str(file), "exec"), scope)
    return scope[name]


def colours(file: Path) -> list[dict]:
    # As wide as OpenCV's vectors: at the end of a row that is not, the last few pixels are rounded otherwise.
    pixels = np.random.default_rng(3).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    pixels[0] = [[level, level, level] for level in range(0, 256, 8)]
    pixels[1] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255], [255, 128, 0], [1, 0, 0]] * 4
    cases = []
    for seed in range(200):
        draws = Draws(seed)
        scope = {"random": draws, "cv2": cv2, "np": np}
        result = method(file, "AugHelper", "color_aug", scope)(None, pixels.copy())["image"]
        if len(draws.listed) == 1 and seed > 3:
            continue
        cases.append({"draws": draws.listed, "result": base64.b64encode(result.tobytes()).decode()})
        if len(cases) >= 14:
            break
    return [{"width": 32, "height": 24, "source": base64.b64encode(pixels.tobytes()).decode(), "cases": cases}]


def crops(file: Path) -> list[dict]:
    dice = random.Random(8)
    cases = []
    while len(cases) < 40:
        size = (dice.choice([512, 448, 640]), dice.choice([512, 640]))
        width, height = dice.randint(size[0], 2000), dice.randint(size[1], 2000)
        face = (dice.randint(1, width), dice.randint(1, height), dice.randint(10, 500), dice.randint(10, 500))
        span = dice.choice([(2.0, 2.0), (1.0, 3.0), (2.0, 4.0), (1.5, 8.0)])
        is_random = dice.random() < 0.4
        draws = Draws(len(cases))
        resized = []

        def resize_image(image, width, height, new_width, new_height, interpolation):
            resized.append([new_width, new_height])
            # Each pixel tells where it is.
            rows, columns = np.mgrid[0:new_height, 0:new_width]
            return np.stack([columns, rows], axis=-1)

        scope = {"random": draws, "resize_image": resize_image, "BaseSubset": object}
        crop_target = method(file, "BaseDataset", "crop_target", scope)
        dataset = SimpleNamespace(width=size[0], height=size[1])
        subset = SimpleNamespace(face_crop_aug_range=span, random_crop=is_random, resize_interpolation=None)
        try:
            result = crop_target(dataset, subset, np.zeros((height, width, 3), dtype=np.uint8), *face)
        except AssertionError:
            continue
        if not resized:
            continue
        cases.append({
            "size": size, "picture": [width, height], "face": face, "range": span, "random_crop": is_random,
            "draws": draws.listed, "resized": resized[0], "left": int(result[0, 0, 0]), "top": int(result[0, 0, 1]),
        })
    return cases


def main() -> None:
    file = Path(sys.argv[1]) / "library" / "train_util.py"
    OUT.write_text(json.dumps({"colours": colours(file), "crops": crops(file)}) + "\n")


if __name__ == "__main__":
    main()
