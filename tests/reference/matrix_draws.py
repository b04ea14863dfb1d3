"""Our run's random numbers in the places where sd-scripts asks torch for some."""

import re

import numpy as np
import torch

from run_numbers import WORD, Sequence, gaussian, uniform, words

# Layers that run as one, so that they share one sequence of dropout: the first names it.
STACKS = [["self_attn_q_proj", "self_attn_k_proj", "self_attn_v_proj"], ["attn1_to_q", "attn1_to_k", "attn1_to_v"], ["attn2_to_k", "attn2_to_v"]]


class Delegate:
    """An object with some attributes in place of another's."""

    def __init__(self, target: object, **own: object) -> None:
        vars(self).update(own)
        self._target = target

    def __getattr__(self, name: str) -> object:
        return getattr(self._target, name)


def maps(values: np.ndarray, shape: tuple[int, ...]) -> torch.Tensor:
    """A run's numbers [B, h, w, C] as [B, C, h, w]."""
    batch, channels, height, width = shape
    return torch.from_numpy(values.reshape(batch, height, width, channels)).permute(0, 3, 1, 2).contiguous()


class Draws:
    """Set `micro_batch` before each; a layer's forward must run inside of `layer`."""

    def __init__(self, seed: int) -> None:
        self.seed, self.micro_batch = seed, 0
        functional = Delegate(torch.nn.functional, dropout=self._dropout)
        own = {"randn_like": self._randn_like, "randn": self._randn, "rand": self._rand, "randint": self._randint}
        self.torch = Delegate(torch, nn=Delegate(torch.nn, functional=functional), **own)
        self.multires = Delegate(None, random=self._shrink)
        self._layers: dict[str, tuple[int, int, int, int]] = {}
        self._layer: tuple[int, int, int, int] | None = None

    def begin(self, micro_batch: int) -> None:
        self.micro_batch, self._has_noise, self._has_timesteps, self._level = micro_batch, False, False, 0

    # Noise of a micro-batch, in the order in which it is asked for.

    def _randn_like(self, latents: torch.Tensor, device=None) -> torch.Tensor:
        stream = "inputNoise" if self._has_noise else "noise"
        self._has_noise = True
        return maps(gaussian(self.seed, stream, self.micro_batch, latents.numel()), latents.shape)

    def _randn(self, *shape, device=None) -> torch.Tensor:
        shape = shape[0] if isinstance(shape[0], tuple) else shape
        count = int(np.prod(shape))
        if shape[2:] == (1, 1) and self._level == 0:
            return maps(gaussian(self.seed, "noiseOffset", self.micro_batch, count), shape)
        self._level += 1
        return maps(gaussian(self.seed, "multiresNoise", self.micro_batch * 64 + self._level - 1, count), shape)

    def _shrink(self) -> float:
        return float(uniform(self.seed, "multiresSizes", self.micro_batch, self._level + 1)[-1])

    def _randint(self, low: int, high: int, size: tuple[int, ...], device=None) -> torch.Tensor:
        self._has_timesteps = True
        chance = Sequence(self.seed, "timesteps", self.micro_batch)
        return torch.tensor([low + chance.below(high - low) for _ in range(size[0])])

    def _rand(self, size, device=None) -> torch.Tensor:
        if self._layer is not None:
            return self._dropout_draw(size)
        stream = "inputNoiseStrength" if self._has_timesteps else "noiseOffsetStrength"
        return torch.from_numpy(uniform(self.seed, stream, self.micro_batch, 1).astype(np.float32))

    # Dropout of an adapter's layer.

    def name_layers(self, names: list[str], ranks: list[int], stacks: bool) -> None:
        """All trained layers in order. The number of a stack is that of its first layer; ranks are padded to fours."""
        for at, (name, rank) in enumerate(zip(names, ranks)):
            if not stacks:
                self._layers[name] = (at, 0, 1, rank)
                continue
            stack = next(([re.sub(f"{s[i]}$", other, name) for other in s] for s in STACKS for i in range(len(s)) if name.endswith(s[i])), [name])
            self._layers[name] = (names.index(stack[0]), stack.index(name), len(stack), -(-rank // 4) * 4)
            assert ranks[names.index(stack[0])] == ranks[at]

    def layer(self, name: str, forward):
        def run(x: torch.Tensor) -> torch.Tensor:
            self._layer = self._layers[name]
            try:
                return forward(x)
            finally:
                self._layer = None

        return run

    def _words(self, stream: str, count: int) -> np.ndarray:
        return words(self.seed, stream, self.micro_batch + self._layer[0] * WORD, count)

    def _dropout_draw(self, size) -> torch.Tensor:
        _, place, count, width = self._layer
        if size == 1:
            numbers = self._words("moduleDropout", count)[place : place + 1]
        elif isinstance(size, int):
            # LyCORIS: rows of what a module adds.
            numbers = self._words("rankDropout", size)
        else:
            batch, rank = size
            numbers = self._words("rankDropout", batch * count * width).reshape(batch, count, width)[:, place, :rank]
        # Between the steps, as a number on the border is kept here and dropped by `>`.
        return torch.from_numpy((numbers.astype(np.float64) + 0.5) / WORD)

    def _dropout(self, h: torch.Tensor, p: float) -> torch.Tensor:
        _, place, count, width = self._layer
        by_channel = h.movedim(1, -1) if h.dim() == 4 else h
        rows, rank = by_channel[..., 0].numel(), by_channel.shape[-1]
        numbers = self._words("networkDropout", rows * count * width).reshape(rows, count, width)[:, place, :rank]
        kept = torch.from_numpy((numbers >= round(p * WORD)).astype(np.float32)).reshape(by_channel.shape)
        return h * (kept.movedim(-1, 1) if h.dim() == 4 else kept) / (1 - p)

    def captions(self, micro_batch: int, place: int) -> Sequence:
        return Sequence(self.seed, "captions", micro_batch * 64 + place)
