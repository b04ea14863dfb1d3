"""What every training script here shares: a resumable state on disk, a learning-rate curve, a log."""

import math
import os
import time
from pathlib import Path

import torch


def one_cycle(progress, warmup=0.02, floor=0.02):
    """Factor of the learning rate at `progress` 0…1: linear up, then half a cosine down."""
    if progress < warmup:
        return progress / warmup
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def save(path, state):
    """Writes beside and renames, so that a kill in mid-write loses nothing."""
    part = Path(f"{path}.part")
    torch.save(state, part)
    os.replace(part, path)


def load(path):
    return torch.load(path, map_location="cpu", weights_only=False) if Path(path).exists() else None


class Log:
    def __init__(self, every=50):
        self.every, self.began, self.sums, self.count = every, time.time(), {}, 0

    def add(self, step, total, samples, **values):
        for key, value in values.items():
            self.sums[key] = self.sums.get(key, 0.0) + float(value)
        self.count += 1
        if self.count < self.every:
            return
        seconds = time.time() - self.began
        text = "  ".join(f"{key} {value / self.count:.5f}" for key, value in self.sums.items())
        print(f"{step}/{total}  {text}  {samples * self.count / seconds:.1f} pictures/s", flush=True)
        self.began, self.sums, self.count = time.time(), {}, 0
