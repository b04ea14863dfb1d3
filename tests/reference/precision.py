"""Runs the reference in f64 throughout, including the places where the libraries force f32."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import diffusers.models.embeddings as embeddings
import torch


def _embedding(timesteps: torch.Tensor, dim: int, **_unused: object) -> torch.Tensor:
    half = dim // 2
    frequency = torch.exp(torch.arange(half, dtype=torch.float64) * (-math.log(10000) / half))
    angle = timesteps.double()[:, None] * frequency
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


@contextmanager
def computing_in(dtype: torch.dtype) -> Iterator[None]:
    """f32 leaves the libraries alone; f64 also replaces the f32 sinusoid of the timestep."""
    if dtype == torch.float32:
        yield
        return
    original = embeddings.get_timestep_embedding
    embeddings.get_timestep_embedding = _embedding
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        embeddings.get_timestep_embedding = original
        torch.set_default_dtype(torch.float32)
