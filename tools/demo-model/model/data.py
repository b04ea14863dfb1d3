"""Reads what pictures/generate.mjs drew."""

import json
from pathlib import Path

import numpy as np
import torch


class Avatars:
    """`pictures` [N,H,W,3] uint8, memory-mapped; `records` a list of {style, tags}."""

    def __init__(self, folder, name, size=128):
        folder = Path(folder)
        self.records = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text("utf-8").splitlines()]
        self.pictures = np.memmap(folder / f"{name}.rgb", np.uint8, "r", shape=(len(self.records), size, size, 3))

    def __len__(self):
        return len(self.records)

    def batch(self, indices):
        """Pictures in -1…1, [N,3,H,W] float, channels last in memory."""
        pixels = torch.from_numpy(self.pictures[np.sort(np.asarray(indices))])
        return (pixels.float() / 127.5 - 1).permute(0, 3, 1, 2)
