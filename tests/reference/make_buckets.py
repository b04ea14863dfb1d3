"""Bucket choices of sd-scripts' own BucketManager, for tests/unit/fixtures/buckets.json.

Usage: make_buckets.py PATH_TO_SD_SCRIPTS. Only the two definitions are taken from there, so none of its many
requirements is needed besides numpy. Made with sd-scripts 48d368f.
"""

import ast
import json
import math
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

OUT = Path(__file__).parents[1] / "unit" / "fixtures" / "buckets.json"
PER_SETTING = 40


def definition(file: Path, name: str, scope: dict) -> object:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    node = next(item for item in tree.body if getattr(item, "name", None) == name)
    exec(compile(ast.Module([node], []), str(file), "exec"), scope)
    return scope[name]


def main() -> None:
    library = Path(sys.argv[1]) / "library"
    make_resolutions = definition(library / "model_util.py", "make_bucket_resolutions", {"math": math})
    model_util = SimpleNamespace(make_bucket_resolutions=make_resolutions)
    scope = {"math": math, "random": random, "np": np, "model_util": model_util}
    exec("from typing import *", scope)
    manager_class = definition(library / "train_util.py", "BucketManager", scope)

    dice = random.Random(1)
    settings = []
    for resolution, least, most, step in [
        ((512, 512), 256, 1024, 64), ((768, 512), 320, 1536, 64), ((640, 640), 256, 2048, 128), ((500, 500), 256, 1024, 64)
    ]:
        for no_upscale in (False, True):
            manager = manager_class(no_upscale, resolution, least, most, step)
            if not no_upscale:
                manager.make_buckets()
            pictures = []
            for _ in range(PER_SETTING):
                size = (dice.randint(160, 2500), dice.randint(160, 2500))
                bucket, resized, error = manager.select_bucket(*size)
                pictures.append({"size": size, "bucket": bucket, "resized": resized, "ratioError": float(error)})
            options = {"resolution": resolution, "min": least, "max": most, "step": step, "noUpscale": no_upscale}
            settings.append({"options": options, "pictures": pictures})
    OUT.write_text(json.dumps(settings) + "\n")


if __name__ == "__main__":
    main()
