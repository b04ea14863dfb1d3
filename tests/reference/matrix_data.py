"""Pictures, their order and their latents in a run of the matrix."""

from dataclasses import dataclass

import numpy as np
import torch

from models import VAE_SCALE, Models
from run_numbers import gaussian, permutation, uniform


@dataclass(frozen=True)
class Picture:
    """`number` decides the pixels; tests/gpu/harness/matrix.ts draws the same ones."""

    number: int
    caption: str
    width: int = 64
    height: int = 64
    repeats: int = 1
    is_reg: bool = False
    has_alpha: bool = False


def pixels(picture: Picture) -> np.ndarray:
    """[h, w, 4] of 0 to 255."""
    n = picture.number
    y, x, c = np.meshgrid(np.arange(picture.height), np.arange(picture.width), np.arange(4), indexing="ij")
    values = (x * (5 + 3 * n) + y * (7 + 2 * n) + (x * y >> 3) * (c + 1) + c * 40) & 255
    values[..., 3] = (x[..., 0] * 4 & 255) if picture.has_alpha else 255
    return values


def balanced(pictures: list[Picture]) -> list[int]:
    """Repeats of an epoch: regularization pictures until there are as many as others."""
    wanted = sum(p.repeats for p in pictures if not p.is_reg)
    counts = [0 if p.is_reg else p.repeats for p in pictures]
    regular, shown, first = [i for i, p in enumerate(pictures) if p.is_reg], 0, True
    while regular and shown < wanted:
        for i in regular:
            more = pictures[i].repeats if first else 1
            counts[i] += more
            shown += more
            if shown >= wanted:
                break
        first = False
    return counts


def epoch_batches(pictures: list[Picture], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """Numbers of the pictures of each batch; every picture is exactly as large as its bucket."""
    counts, batches = balanced(pictures), []
    sizes = sorted({(p.width, p.height) for p, count in zip(pictures, counts) if count > 0})
    for bucket, size in enumerate(sizes):
        items = [i for i, p in enumerate(pictures) if (p.width, p.height) == size for _ in range(counts[i])]
        order = [items[i] for i in permutation(seed, "shuffleImages", epoch * 65536 + bucket, len(items))]
        batches += [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return [batches[i] for i in permutation(seed, "shuffleBatches", epoch, len(batches))]


def latents_of(models: Models, pictures: list[Picture], seed: int, flips: bool) -> list[list[torch.Tensor]]:
    """Of each picture and, with `flips`, its mirror image, as sd-scripts caches them, scaled."""
    out = []
    for index, picture in enumerate(pictures):
        image = torch.from_numpy(pixels(picture)[..., :3].astype(np.float32) / 255 * 2 - 1).permute(2, 0, 1)[None]
        pair = []
        for shown, stream in ((image, "vaeSample"), (image.flip(3), "vaeSampleFlipped"))[: 2 if flips else 1]:
            with torch.no_grad():
                posterior = models.vae.encode(shown).latent_dist
            draw = gaussian(seed, stream, index, posterior.mean.numel()).reshape(*posterior.mean.shape[2:], 4)
            pair.append((posterior.mean + posterior.std * torch.from_numpy(draw).permute(2, 0, 1)) * VAE_SCALE)
        out.append(pair)
    return out


def is_flipped(seed: int, micro_batch: int, batch: int) -> list[bool]:
    return [bool(u < 0.5) for u in uniform(seed, "flips", micro_batch, batch)]


def alpha_of(picture: Picture) -> torch.Tensor:
    """[h, w] in 0 to 1"""
    return torch.from_numpy(pixels(picture)[..., 3].astype(np.float32) / 255)
