"""How long sd-scripts' train_network.py trains, for tests/unit/fixtures/steps.json.

Usage: make_steps.py PATH_TO_SD_SCRIPTS. Buckets are chosen by sd-scripts' own BucketManager (see make_buckets.py); the
balance of regularization images and the training loop are followed step by step as DreamBoothDataset and
train_network.py go through them. Made with sd-scripts 48d368f.
"""

import json
import math
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from make_buckets import definition

OUT = Path(__file__).parents[1] / "unit" / "fixtures" / "steps.json"
CASES = 48


def balance(pictures: list[dict]) -> list[int]:
    """Repeats of each picture after registration; 0 where a regularization image is never registered."""
    repeats = [0] * len(pictures)
    regularization = []
    train_count = 0
    for index, picture in enumerate(pictures):
        if picture["isReg"]:
            regularization.append(index)
        else:
            repeats[index] = picture["repeats"]
            train_count += picture["repeats"]
    n, is_first = 0, True
    while regularization and n < train_count:
        for index in regularization:
            if is_first:
                repeats[index] = pictures[index]["repeats"]
                n += repeats[index]
            else:
                repeats[index] += 1
                n += 1
            if n >= train_count:
                break
        is_first = False
    return repeats


def count_buckets(manager_class: type, pictures: list[dict], repeats: list[int], options: dict) -> dict[tuple, int]:
    if not options["enable_bucket"]:
        return {(512, 512): sum(repeats)}
    manager = manager_class(options["bucket_no_upscale"], (512, 512), 256, 1024, 64)
    if not options["bucket_no_upscale"]:
        manager.make_buckets()
    counts: dict[tuple, int] = {}
    for picture, times in zip(pictures, repeats):
        if times > 0:
            bucket, _, _ = manager.select_bucket(*picture["size"])
            counts[tuple(bucket)] = counts.get(tuple(bucket), 0) + times
    return counts


def train(batches: int, options: dict) -> dict:
    accumulation = options["gradient_accumulation_steps"]
    max_steps = options["max_train_steps"]
    if options["max_train_epochs"] is not None:
        max_steps = options["max_train_epochs"] * math.ceil(batches / accumulation)
    epochs = math.ceil(max_steps / math.ceil(batches / accumulation))
    global_step = micro_batches = 0
    updates_of_epochs = []
    for _ in range(epochs):
        before = global_step
        for step in range(batches):
            micro_batches += 1
            # accelerate's accumulate() also synchronizes at the end of the data loader
            if (step + 1) % accumulation == 0 or step + 1 == batches:
                global_step += 1
            if global_step >= max_steps:
                break
        updates_of_epochs.append(global_step - before)
    return {"maxTrainSteps": max_steps, "epochs": epochs, "microBatches": micro_batches, "updatesOfEpochs": updates_of_epochs}


def main() -> None:
    library = Path(sys.argv[1]) / "library"
    make_resolutions = definition(library / "model_util.py", "make_bucket_resolutions", {"math": math})
    scope = {"math": math, "random": random, "np": np, "model_util": SimpleNamespace(make_bucket_resolutions=make_resolutions)}
    exec("from typing import *", scope)
    manager_class = definition(library / "train_util.py", "BucketManager", scope)

    dice = random.Random(4)
    shapes = [(512, 512), (768, 512), (512, 768), (1024, 640), (300, 300), (640, 1500)]
    cases = []
    for number in range(CASES):
        folders = [(False, dice.randint(1, 7), dice.randint(1, 12)) for _ in range(dice.randint(1, 2))]
        if number % 4 != 0:
            folders += [(True, dice.randint(1, 15), dice.choice([1, 1, 2, 5])) for _ in range(dice.randint(1, 2))]
        pictures = [
            {"size": dice.choice(shapes), "repeats": repeats, "isReg": is_reg}
            for is_reg, count, repeats in folders
            for _ in range(count)
        ]
        options = {
            "enable_bucket": dice.random() < 0.7,
            "bucket_no_upscale": dice.random() < 0.4,
            "train_batch_size": dice.choice([1, 2, 3, 4, 8]),
            "gradient_accumulation_steps": dice.choice([1, 1, 2, 3, 7]),
            "max_train_epochs": dice.choice([None, None, 1, 3, 10]),
            "max_train_steps": dice.choice([1, 37, 100, 160]),
        }
        repeats = balance(pictures)
        counts = count_buckets(manager_class, pictures, repeats, options)
        batches = sum(math.ceil(count / options["train_batch_size"]) for count in counts.values())
        expected = {
            "repeats": repeats,
            "numTrainImages": sum(p["repeats"] for p in pictures if not p["isReg"]),
            "numRegImages": sum(p["repeats"] for p in pictures if p["isReg"]),
            "buckets": [[*shape, count] for shape, count in sorted(counts.items())],
            "batches": batches,
            **train(batches, options),
        }
        cases.append({"options": options, "pictures": pictures, "expected": expected})
    OUT.write_text(json.dumps(cases) + "\n")


if __name__ == "__main__":
    main()
