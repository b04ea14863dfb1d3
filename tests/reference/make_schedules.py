"""The noise schedule from diffusers and torch, for tests/unit/fixtures/schedules.json."""

import json
from pathlib import Path

import torch
from diffusers import DDPMScheduler

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


def main() -> None:
    OUT.write_text(json.dumps({"noise": noise_tables()}) + "\n")


if __name__ == "__main__":
    main()
