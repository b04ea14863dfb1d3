"""Pictures, their order and their latents in a run of the matrix."""

from dataclasses import dataclass

import numpy as np
import torch

from models import VAE_SCALE, Models
from run_numbers import Sequence, gaussian, permutation, uniform


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
    # A second picture beside it says what counts.
    has_mask: bool = False


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


def epoch_batches(pictures: list[Picture], batch_size: int, with_buckets: bool, seed: int, epoch: int) -> list[list[int]]:
    """Numbers of the pictures of each batch; with buckets, every picture is exactly as large as its own."""
    counts, batches = balanced(pictures), []
    size_of = lambda p: (p.width, p.height) if with_buckets else None  # noqa: E731
    for bucket, size in enumerate(sorted({size_of(p) for p, count in zip(pictures, counts) if count > 0})):
        items = [i for i, p in enumerate(pictures) if size_of(p) == size for _ in range(counts[i])]
        order = [items[i] for i in permutation(seed, "shuffleImages", epoch * 65536 + bucket, len(items))]
        batches += [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
    return [batches[i] for i in permutation(seed, "shuffleBatches", epoch, len(batches))]


def latents_of(models: Models, pictures: list[Picture], seed: int, flips: bool) -> list[list[torch.Tensor]]:
    """Of each picture and, with `flips`, its mirror image, as sd-scripts caches them, scaled."""
    out = []
    for index, picture in enumerate(pictures):
        image = pixels(picture)[..., :3]
        mirrored = [encode(models, image[:, ::-1], seed, "vaeSampleFlipped", index)] if flips else []
        out.append([encode(models, image, seed, "vaeSample", index), *mirrored])
    return out


def encode(models: Models, image: np.ndarray, seed: int, stream: str, index: int) -> torch.Tensor:
    """Latents [1, 4, h, w] of bytes [height, width, 3]."""
    with torch.no_grad():
        given = torch.from_numpy(image.astype(np.float32) / 255 * 2 - 1).permute(2, 0, 1)[None]
        posterior = models.vae.encode(given).latent_dist
    draw = gaussian(seed, stream, index, posterior.mean.numel()).reshape(*posterior.mean.shape[2:], 4)
    return (posterior.mean + posterior.std * torch.from_numpy(draw).permute(2, 0, 1)) * VAE_SCALE


def cut_out(picture: Picture, size: tuple[int, int], chance: Sequence) -> np.ndarray:
    """Bytes [height, width, 3] of anywhere in the picture."""
    left, top = (chance.below(whole - part + 1) for whole, part in zip((picture.width, picture.height), size))
    return pixels(picture)[top : top + size[1], left : left + size[0], :3]


def is_flipped(seed: int, micro_batch: int, batch: int) -> list[bool]:
    return [bool(u < 0.5) for u in uniform(seed, "flips", micro_batch, batch)]


def alpha_of(picture: Picture) -> torch.Tensor:
    """[h, w] in 0 to 1"""
    return torch.from_numpy(pixels(picture)[..., 3].astype(np.float32) / 255)


def mask_of(picture: Picture) -> torch.Tensor:
    """[1, h, w] in -1 to 1: the red channel of the picture that says what counts."""
    y, x = np.meshgrid(np.arange(picture.height), np.arange(picture.width), indexing="ij")
    values = ((3 * x + 5 * y) & 255) if picture.has_mask else np.full(x.shape, 255)
    return torch.from_numpy(values.astype(np.float32) / 255 * 2 - 1)[None]
