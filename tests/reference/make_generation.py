"""Latents and pictures of the mini checkpoints: data/generation-{sd1,sd2}.safetensors.

Noise is that of the webui's "NV" random source, drawn here with numpy, so that no noise is stored. Samplers that
diffusers has with the same noise levels (DDIM, LCM) are run by it; the others are k-diffusion's formulas. Token ids
come from the tokenizer's cases, modulo the minis' vocabulary: the tests widen its table accordingly.
"""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest import mock

import numpy as np
import torch
from diffusers import DDIMScheduler, LCMScheduler
from safetensors.torch import save_file

from models import FAMILIES, VAE_SCALE, Family, Models, load_models
from paths import DATA, HERE, mini, seeded
from precision import computing_in

HEIGHT, WIDTH = 8, 10
CAT, GIRL, HAT = "A photo of a cat", "1girl, solo, long hair, looking at viewer", "a man's hat"
BOS, EOS = 49406, 49407
BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
ALPHAS = torch.cumprod(1 - BETAS, 0)
LOG_SIGMAS = (((1 - ALPHAS) / ALPHAS).sqrt()).log()

Tokens = list[tuple[int, float]]
Denoise = Callable[[torch.Tensor, float], torch.Tensor]


class Philox:
    """The webui's generator: each call has its own number in the counter."""

    def __init__(self, seed: int) -> None:
        self.seed, self.calls = seed, 0

    def randn(self, shape: tuple[int, ...]) -> torch.Tensor:
        n = math.prod(shape)
        mask = np.uint64(0xFFFFFFFF)
        c = [np.full(n, self.calls, np.uint64), np.zeros(n, np.uint64), np.arange(n, dtype=np.uint64), np.zeros(n, np.uint64)]
        k = [np.uint64(self.seed & 0xFFFFFFFF), np.uint64(self.seed >> 32)]
        self.calls += 1
        for _ in range(10):
            a, b = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
            c = [(b >> np.uint64(32)) ^ c[1] ^ k[0], b & mask, (a >> np.uint64(32)) ^ c[3] ^ k[1], a & mask]
            k = [(k[0] + np.uint64(0x9E3779B9)) & mask, (k[1] + np.uint64(0xBB67AE85)) & mask]
        step = np.float32(2.3283064e-10)
        turn = np.float32(2.3283064e-10 * 6.2831855)
        u = c[0].astype(np.uint32) * step + step / 2
        v = c[1].astype(np.uint32) * turn + turn / 2
        samples = (np.sqrt(-2.0 * np.log(u)) * np.sin(v)).astype(np.float32)
        return torch.from_numpy(samples.reshape(shape))


@dataclass
class Case:
    """`at(evaluation)` gives the parts of the prompt as (chunks of (token, weight), weight of the part)."""

    sampler: str
    steps: int
    cfg: float
    seed: int
    at: Callable[[int], list[tuple[list[Tokens], float]]]
    negative: list[Tokens] = field(default_factory=lambda: [plain(HAT)])
    clip_skip: int = 1
    picture: bool = False


def plain(text: str, weight: float = 1.0) -> Tokens:
    cases = json.loads((HERE.parent / "unit" / "fixtures" / "clip-tokenizer-cases.json").read_text())["cases"]
    ids = next(case["kohya"] for case in cases if case["text"] == text)
    return [(i, weight) for i in ids]


def always(*chunks: Tokens) -> Callable[[int], list[tuple[list[Tokens], float]]]:
    return lambda _: [(list(chunks), 1.0)]


SAMPLERS = ("ddim", "euler", "euler_a", "heun", "dpmpp_2m", "dpmpp_sde", "dpmpp_2m_sde", "lcm")


def cases(f: Family) -> dict[str, Case]:
    if f.linear_projection:
        return {
            name: Case(name, 20, 5.0, 2**40 + i, always(plain(GIRL)), picture=name == "ddim")
            for i, name in enumerate(("ddim", "euler_a", "dpmpp_2m"))
        }
    found = {name: Case(name, 20, 5.0, i, always(plain(CAT)), picture=name == "euler") for i, name in enumerate(SAMPLERS)}
    found["chunks"] = Case("euler", 6, 5.0, 20, always(plain(CAT, 1.3), plain(GIRL) + plain(HAT, 1 / 1.1)))
    found["and"] = Case("euler_a", 6, 4.0, 21, lambda _: [([plain(CAT)], 1.0), ([plain(GIRL)], 0.5)])
    # The webui counts evaluations from 0 against limits counted from 1.
    found["switch"] = Case("euler", 6, 5.0, 22, lambda e: [([plain(CAT if e <= 3 else GIRL)], 1.0)])
    found["turns"] = Case("heun", 4, 5.0, 23, lambda e: [([plain((CAT, GIRL)[(max(e, 1) - 1) % 2])], 1.0)])
    found["clip_skip"] = Case("euler", 6, 5.0, 24, always(plain(CAT)), clip_skip=2)
    found["unguided"] = Case("euler", 6, 1.0, 25, always(plain(CAT)))
    cat = plain(CAT)
    found["embedding"] = Case("euler", 6, 5.0, 26, always([*cat[:4], (-1, 1.0), (-2, 1.0)]))
    return found


def encode(models: Models, chunks: list[Tokens], clip_skip: int, embedding: torch.Tensor) -> torch.Tensor:
    """Negative tokens are rows of the embedding. Emphasis restores the mean of each chunk."""
    f = models.family
    table = models.text.text_model.embeddings.token_embedding
    states = []
    with mock.patch.object(table, "weight", torch.nn.Parameter(torch.cat([table.weight, embedding]), False)):
        for tokens in chunks:
            ids = [BOS, *(i for i, _ in tokens), EOS]
            ids += [0 if f.linear_projection else EOS] * (77 - len(ids))
            rows = torch.tensor([[i % f.vocabulary if i >= 0 else f.vocabulary - 1 - i for i in ids]])
            out = models.text(input_ids=rows, output_hidden_states=True)
            hidden = models.text.text_model.final_layer_norm(out.hidden_states[-clip_skip])
            weights = torch.ones(77, dtype=hidden.dtype)
            weights[1 : 1 + len(tokens)] = torch.tensor([w for _, w in tokens], dtype=hidden.dtype)
            scaled = hidden * weights[None, :, None]
            states.append(scaled * (hidden.mean() / scaled.mean()))
    return torch.cat(states, dim=1)


def guided_model(models: Models, case: Case, embedding: torch.Tensor) -> Callable[[torch.Tensor, float], torch.Tensor]:
    """The raw output of the UNet under guidance; each call is the next evaluation."""
    evaluation = 0
    known: dict[str, torch.Tensor] = {}

    def unet(x: torch.Tensor, t: float, chunks: list[Tokens]) -> torch.Tensor:
        key = repr(chunks)
        if key not in known:
            known[key] = encode(models, chunks, case.clip_skip, embedding)
        context = known[key]
        return models.unet(x, torch.tensor([t], dtype=x.dtype), encoder_hidden_states=context).sample

    def output(x: torch.Tensor, t: float) -> torch.Tensor:
        nonlocal evaluation
        parts = case.at(evaluation)
        evaluation += 1
        if case.cfg == 1:
            return unet(x, t, parts[0][0])
        negative = unet(x, t, case.negative)
        return negative + sum(w * case.cfg * (unet(x, t, chunks) - negative) for chunks, w in parts)

    return output


def timestep(sigma: float) -> float:
    position = int(torch.searchsorted(LOG_SIGMAS, torch.tensor(math.log(sigma), dtype=torch.float64)))
    low = min(max(position - 1, 0), 998)
    share = (math.log(sigma) - LOG_SIGMAS[low]) / (LOG_SIGMAS[low + 1] - LOG_SIGMAS[low])
    return low + min(1.0, max(0.0, float(share)))


def sigma_at(t: float) -> float:
    low = min(int(t), 998)
    return float((LOG_SIGMAS[low] * (1 - (t - low)) + LOG_SIGMAS[low + 1] * (t - low)).exp())


def uniform(n: int) -> list[float]:
    return [sigma_at(999 - 999 * i / (n - 1)) for i in range(n)] + [0.0]


def between_logs(n: int) -> list[float]:
    first, last = float(LOG_SIGMAS[-1]), float(LOG_SIGMAS[0])
    return [math.exp(first + (last - first) * i / (n - 1)) for i in range(n)] + [0.0]


def karras(n: int) -> list[float]:
    first, last = math.exp(float(LOG_SIGMAS[-1])) ** (1 / 7), math.exp(float(LOG_SIGMAS[0])) ** (1 / 7)
    return [(first + (last - first) * i / (n - 1)) ** 7 for i in range(n)] + [0.0]


def ancestral(s: float, n: float) -> tuple[float, float]:
    up = min(n, math.sqrt(n**2 * (s**2 - n**2) / s**2))
    return math.sqrt(n**2 - up**2), up


def k_diffusion(name: str, x: torch.Tensor, sigmas: list[float], d: Denoise, noise: Callable[[], torch.Tensor]) -> torch.Tensor:
    old, old_h = None, 0.0
    for s, n in zip(sigmas, sigmas[1:], strict=False):
        den = d(x, s)
        slope = (x - den) / s
        h = math.log(s / n) if n > 0 else math.inf
        if name == "euler_a":
            down, up = ancestral(s, n)
            x = x + slope * (down - s)
            x = x + noise() * up if n > 0 else x
        elif name == "heun" and n > 0:
            ahead = x + slope * (n - s)
            x = x + (slope + (ahead - d(ahead, n)) / n) / 2 * (n - s)
        elif name == "dpmpp_2m" and n > 0:
            r = old_h / h
            better = den if old is None else (1 + 1 / (2 * r)) * den - 1 / (2 * r) * old
            x = n / s * x - math.expm1(-h) * better
        elif name == "dpmpp_sde" and n > 0:
            middle = math.exp((math.log(s) + math.log(n)) / 2)
            down, up = ancestral(s, middle)
            half = down / s * x - math.expm1(math.log(down / s)) * den + noise() * up
            den = d(half, middle)
            down, up = ancestral(s, n)
            x = down / s * x - math.expm1(math.log(down / s)) * den + noise() * up
        elif name == "dpmpp_2m_sde" and n > 0:
            x = n / s * math.exp(-h) * x - math.expm1(-2 * h) * den
            if old is not None:
                x = x - 0.5 * math.expm1(-2 * h) * (h / old_h) * (den - old)
            x = x + noise() * n * math.sqrt(-math.expm1(-2 * h))
        else:
            x = x + slope * (n - s)
        old, old_h = den, h
    return x


@contextmanager
def given_noise(draw: Callable[[], torch.Tensor]) -> Iterator[None]:
    with mock.patch("diffusers.schedulers.scheduling_lcm.randn_tensor", lambda *_, **__: draw()):
        yield


def run(models: Models, case: Case, embedding: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    source = Philox(case.seed)

    def draw() -> torch.Tensor:
        return source.randn((1, 4, HEIGHT, WIDTH)).to(dtype)

    f = models.family
    output = guided_model(models, case, embedding)
    x = draw()
    if case.sampler in ("ddim", "lcm"):
        shared = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "clip_sample": False}
        shared["prediction_type"] = "v_prediction" if f.linear_projection else "epsilon"
        ddim = case.sampler == "ddim"
        kind = DDIMScheduler if ddim else LCMScheduler
        scheduler = kind(**shared, set_alpha_to_one=not ddim, steps_offset=1 if ddim else 0)
        scheduler.alphas_cumprod = ALPHAS.to(dtype)
        scheduler.final_alpha_cumprod = ALPHAS[0].to(dtype) if ddim else torch.tensor(1.0, dtype=dtype)
        scheduler.set_timesteps(case.steps)
        with given_noise(draw):
            for t in scheduler.timesteps:
                x = scheduler.step(output(x, float(t)), t, x).prev_sample
        return x

    def denoise(y: torch.Tensor, s: float) -> torch.Tensor:
        raw = output(y / math.sqrt(s * s + 1), timestep(s))
        return y / (s * s + 1) - s / math.sqrt(s * s + 1) * raw if f.linear_projection else y - s * raw

    schedules = {"dpmpp_2m": karras, "dpmpp_sde": karras, "dpmpp_2m_sde": between_logs}
    sigmas = schedules.get(case.sampler, uniform)(case.steps)
    return k_diffusion(case.sampler, x * sigmas[0], sigmas, denoise, draw)


def compute(f: Family, embedding: torch.Tensor, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    models = load_models(f, mini(f.name), dtype)
    out: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for name, case in cases(f).items():
            latents = run(models, case, embedding.to(dtype), dtype)
            out[f"{name}.latents"] = latents.to(torch.float32, copy=True).contiguous()
            if case.picture:
                rgb = models.vae.decode(latents / VAE_SCALE).sample[0].permute(1, 2, 0)
                out[f"{name}.picture"] = (((rgb + 1) / 2).clamp(0, 1) * 255).to(torch.uint8).contiguous()
    return out


def make(f: Family) -> None:
    embedding = (torch.randn(2, f.context, generator=seeded(300)) * 0.7).half().float()
    single = compute(f, embedding, torch.float32)
    with computing_in(torch.float64):
        double = compute(f, embedding, torch.float64)
    save_file(double | {"embedding": embedding}, DATA / f"generation-{f.name}.safetensors")
    for name, value in double.items():
        error = float((single[name].double() - value.double()).abs().max() / value.double().abs().max())
        print(f"{f.name} {name} {list(value.shape)} std {value.double().std():.3f} f32/f64 {error:.1e}")


def main() -> None:
    for f in FAMILIES.values():
        make(f)


if __name__ == "__main__":
    main()
