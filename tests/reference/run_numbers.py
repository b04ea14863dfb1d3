"""The random numbers of a run, as src/random/rng.ts defines them: Philox-4x32-10 of (block, index, stream) under the seed."""

import math

import numpy as np

STREAMS = {
    "noise": 1, "timesteps": 2, "noiseOffset": 3, "vaeSample": 4, "loraInit": 5, "shuffleImages": 6, "shuffleBatches": 7,
    "noiseOffsetStrength": 8, "multiresSizes": 9, "multiresNoise": 10, "inputNoise": 11, "inputNoiseStrength": 12,
    "captions": 20, "flips": 21, "vaeSampleFlipped": 22, "augmentations": 23, "vaeSampleEach": 24, "networkDropout": 30,
    "rankDropout": 31, "moduleDropout": 32,
}
WORD = 2**32


def philox(counter: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """[n, 4] counters to [n, 4] words, Salmon et al. 2011."""
    c = [counter[:, i].astype(np.uint64) for i in range(4)]
    k0, k1 = key
    mask = np.uint64(WORD - 1)
    for _ in range(10):
        a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        high = np.uint64(32)
        c = [(b >> high) ^ c[1] ^ np.uint64(k0), b & mask, (a >> high) ^ c[3] ^ np.uint64(k1), a & mask]
        k0, k1 = (k0 + 0x9E3779B9) % WORD, (k1 + 0xBB67AE85) % WORD
    return np.stack(c, 1)


def words(seed: int, stream: str, index: int, count: int) -> np.ndarray:
    """The first `count` 32-bit numbers of a sequence."""
    blocks = -(-count // 4)
    counter = np.empty((blocks, 4), np.uint64)
    counter[:, 0] = np.arange(blocks)
    counter[:, 1], counter[:, 2], counter[:, 3] = index % WORD, index // WORD, STREAMS[stream]
    return philox(counter, (seed % WORD, seed // WORD)).flatten()[:count]


def gaussian(seed: int, stream: str, index: int, count: int) -> np.ndarray:
    """N(0, 1) by Box and Muller, f32."""
    pairs = words(seed, stream, index, count + count % 2).reshape(-1, 2).astype(np.float64)
    radius, angle = np.sqrt(-2 * np.log((pairs[:, 0] + 0.5) / WORD)), 2 * math.pi * pairs[:, 1] / WORD
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).flatten()[:count].astype(np.float32)


def uniform(seed: int, stream: str, index: int, count: int) -> np.ndarray:
    """U[0, 1) in steps of 2^-24."""
    return (words(seed, stream, index, count) >> np.uint64(8)).astype(np.float64) / 2**24


class Sequence:
    """Numbers of one (seed, stream, index), one after the other; with what captions and augmentations ask Python's `random` for."""

    def __init__(self, seed: int, stream: str, index: int) -> None:
        self._of = (seed, stream, index)
        self._known: list[int] = []
        self._used = 0

    def word(self) -> int:
        if self._used == len(self._known):
            self._known = [int(w) for w in words(*self._of, 2 * self._used + 64)]
        self._used += 1
        return self._known[self._used - 1]

    def random(self) -> float:
        return self.word() / WORD

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self.random()

    def below(self, limit: int) -> int:
        fair = WORD - WORD % limit
        while (word := self.word()) >= fair:
            pass
        return word % limit

    def choice(self, options):
        return options[self.below(len(options))]

    def shuffle(self, items: list) -> None:
        for i in reversed(range(1, len(items))):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]


def permutation(seed: int, stream: str, index: int, count: int) -> list[int]:
    order = list(range(count))
    Sequence(seed, stream, index).shuffle(order)
    return order
