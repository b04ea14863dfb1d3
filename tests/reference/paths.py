"""Where the data lives, and seeds."""

from pathlib import Path

import torch

HERE = Path(__file__).parent
DATA = HERE / "data"
REPLAY = DATA / "replay"


def mini(name: str) -> str:
    return str(DATA / f"mini-{name}.safetensors")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
