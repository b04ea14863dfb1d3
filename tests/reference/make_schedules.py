"""Noise and learning-rate schedules from diffusers, torch and transformers, for tests/unit/fixtures/schedules.json."""

import json
from pathlib import Path

import torch
from diffusers import DDPMScheduler
from transformers import get_scheduler

OUT = Path(__file__).parents[1] / "unit" / "fixtures" / "schedules.json"


def noise_tables() -> dict:
    scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000, clip_sample=False
    )
    alphas = scheduler.alphas_cumprod
    snr = (torch.sqrt(alphas) / torch.sqrt(1.0 - alphas)) ** 2
    torch.manual_seed(5)
    latents, noise = torch.randn(4, 6), torch.randn(4, 6)
    timesteps = torch.tensor([0, 251, 640, 999])
    min_snr = torch.minimum(snr[timesteps], torch.full((4,), 5.0))
    return {
        "alphasCumprod": alphas.tolist(),
        "snr": snr.tolist(),
        "latents": latents.flatten().tolist(),
        "noise": noise.flatten().tolist(),
        "timesteps": timesteps.tolist(),
        "noisy": scheduler.add_noise(latents, noise, timesteps).flatten().tolist(),
        "velocity": scheduler.get_velocity(latents, noise, timesteps).flatten().tolist(),
        "minSnr5Epsilon": (min_snr / snr[timesteps]).tolist(),
        "minSnr5V": (min_snr / (snr[timesteps] + 1)).tolist(),
    }


def rates(name: str, warmup: int, total: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=total)
    factors = []
    for _ in range(total):
        factors.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return factors


def main() -> None:
    cases = [("constant", 0, 5), ("constant_with_warmup", 4, 9), ("constant_with_warmup", 0, 3)]
    cases += [("cosine", 0, 11), ("cosine", 3, 20), ("cosine", 7, 7), ("cosine", 1, 2)]
    learning_rates = [
        {"scheduler": name, "warmup": warmup, "total": total, "factors": rates(name, warmup, total)}
        for name, warmup, total in cases
    ]
    OUT.write_text(json.dumps({"noise": noise_tables(), "learningRates": learning_rates}) + "\n")


if __name__ == "__main__":
    main()
