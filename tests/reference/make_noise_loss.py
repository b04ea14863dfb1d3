"""Noise and losses by sd-scripts' formulas in torch, with diffusers' scheduler, for given random draws.

Writes tests/unit/fixtures/noise-loss.json. Maps are NCHW. What is added to latents and predicted is computed in f32, as
in a run; losses and their gradients (autograd) in f64 from the f32 schedule, so that they can hold kernels to their
last digits.
"""

import json
import math
from pathlib import Path

import torch
from diffusers import DDPMScheduler

OUT = Path(__file__).parents[1] / "unit" / "fixtures" / "noise-loss.json"
SHAPE = (3, 2, 6, 10)
TIMESTEPS = torch.tensor([3, 437, 999])


def scheduler(zero_terminal_snr: bool):
    """The scheduler and the ratios that weights read, which are taken before the schedule is changed."""
    made = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000, clip_sample=False
    )
    alphas = made.alphas_cumprod
    snr = (torch.sqrt(alphas) / torch.sqrt(1.0 - alphas)) ** 2
    if zero_terminal_snr:
        root = (1 - made.betas).cumprod(0).sqrt()
        first, last = root[0].clone(), root[-1].clone()
        product = ((root - last) * (first / (first - last))) ** 2
        made.betas = 1 - torch.cat([product[:1], product[1:] / product[:-1]])
        made.alphas = 1 - made.betas
        made.alphas_cumprod = torch.cumprod(made.alphas, dim=0)
    return made, snr


def draws() -> dict:
    torch.manual_seed(11)
    uniforms = [0.4, 0.15, 0.9, 0.02, 0.6]
    height, width = SHAPE[2:]
    levels = []
    for i, u in enumerate(uniforms):
        shrink = (u * 2 + 2) ** i
        size = max(1, int(height / shrink)), max(1, int(width / shrink))
        levels.append(torch.randn(*SHAPE[:2], *size))
        if min(size) == 1:
            break
    return {
        "latents": torch.randn(SHAPE) * 0.9 + torch.randn(SHAPE[0], SHAPE[1], 1, 1),
        "noise": torch.randn(SHAPE),
        "shifts": torch.randn(SHAPE[0], SHAPE[1], 1, 1),
        "uniforms": uniforms,
        "levels": levels,
        "extra": torch.randn(SHAPE),
        "share": 0.625,
        "prediction": torch.randn(SHAPE),
    }


def noise_of(given: dict, settings: dict) -> torch.Tensor:
    noise = given["noise"].clone()
    if settings.get("noise_offset"):
        strength = settings["noise_offset"]
        if settings.get("noise_offset_random_strength"):
            strength = torch.tensor([given["share"]]) * strength
        if settings.get("adaptive_noise_scale") is not None:
            mean = torch.abs(given["latents"].mean(dim=(2, 3), keepdim=True))
            strength = torch.clamp(strength + settings["adaptive_noise_scale"] * mean, 0.0, None)
        noise = noise + strength * given["shifts"]
    if settings.get("multires_noise_iterations"):
        enlarge = torch.nn.Upsample(size=SHAPE[2:], mode="bilinear")
        for i, level in enumerate(given["levels"][: settings["multires_noise_iterations"]]):
            noise += enlarge(level) * settings["multires_noise_discount"] ** i
        noise = noise / noise.std()
    return noise


def noisy_case(given: dict, settings: dict) -> dict:
    made, _ = scheduler(settings.get("zero_terminal_snr", False))
    noise = noise_of(given, settings)
    added = noise
    if settings.get("ip_noise_gamma"):
        strength = settings["ip_noise_gamma"]
        if settings.get("ip_noise_gamma_random_strength"):
            strength = torch.tensor([given["share"]]) * strength
        added = noise + strength * given["extra"]
    noisy = made.add_noise(given["latents"], added, TIMESTEPS)
    case = {"settings": settings, "noise": listed(noise), "noisy": listed(noisy)}
    if settings.get("v_parameterization"):
        case["velocity"] = listed(made.get_velocity(given["latents"], noise, TIMESTEPS))
    return case


def thresholds(settings: dict, alphas: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
    c, scale = settings.get("huber_c", 0.1), settings.get("huber_scale", 1.0)
    by = settings.get("huber_schedule", "snr")
    if by == "exponential":
        return torch.exp(math.log(c) / 1000 * timesteps.double()) * scale
    if by == "constant":
        return torch.full(timesteps.shape, c * scale, dtype=torch.float64)
    sigma = ((1 - alphas) / alphas) ** 0.5
    return (1 - c) / (1 + sigma) ** 2 + c


def sample_losses(settings: dict, prediction: torch.Tensor, target: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
    made, all_snr = scheduler(settings.get("zero_terminal_snr", False))
    alphas, snr = made.alphas_cumprod[timesteps].double(), all_snr[timesteps].double()
    is_v = settings.get("v_parameterization", False)
    kind = settings.get("loss_type", "l2")
    c = thresholds(settings, alphas, timesteps).view(-1, 1, 1, 1)
    if kind == "l2":
        loss = torch.nn.functional.mse_loss(prediction, target, reduction="none")
    elif kind == "l1":
        loss = torch.nn.functional.l1_loss(prediction, target, reduction="none")
    else:
        loss = 2 * (torch.sqrt((prediction - target) ** 2 + c**2) - c)
        loss = loss * c if kind == "huber" else loss
    loss = loss.mean([1, 2, 3])
    if settings.get("min_snr_gamma"):
        limited = torch.minimum(snr, torch.full_like(snr, settings["min_snr_gamma"]))
        loss = loss * (limited / (snr + 1) if is_v else limited / snr)
    limited = torch.minimum(snr, torch.ones_like(snr) * 1000)
    if settings.get("scale_v_pred_loss_like_noise_pred"):
        loss = loss * (limited / (limited + 1))
    if settings.get("v_pred_like_loss"):
        loss = loss + loss / (limited / (limited + 1)) * settings["v_pred_like_loss"]
    if settings.get("debiased_estimation_loss"):
        loss = loss * (1 / (limited + 1) if is_v else 1 / torch.sqrt(limited))
    return loss


def loss_case(given: dict, settings: dict) -> dict:
    # The smallest differences too: there sqrt(d^2 + c^2) - c cancels.
    target = given["prediction"].double() - given["extra"].double() * torch.logspace(-4, 1, SHAPE[3]).double()
    target = target.float().double()
    prediction = given["prediction"].double().requires_grad_()
    timesteps = torch.tensor(settings.get("timesteps", TIMESTEPS.tolist()))
    losses = sample_losses(settings, prediction, target, timesteps)
    losses.mean().backward()
    made, _ = scheduler(settings.get("zero_terminal_snr", False))
    return {
        "settings": settings,
        "timesteps": timesteps.tolist(),
        "thresholds": thresholds(settings, made.alphas_cumprod[timesteps].double(), timesteps).tolist(),
        "target": listed(target),
        "losses": losses.tolist(),
        "gradient": rounded(prediction.grad),
    }


def listed(tensor: torch.Tensor) -> list[float]:
    """Short decimal texts of f32 numbers."""
    return [float(f"{value:.9g}") for value in tensor.flatten().tolist()]


def rounded(tensor: torch.Tensor) -> list[float]:
    return [float(f"{value:.10g}") for value in tensor.flatten().tolist()]


def main() -> None:
    given = draws()
    multires = {"multires_noise_iterations": 8, "multires_noise_discount": 0.3}
    noisy = [
        {},
        {"noise_offset": 0.1},
        {"noise_offset": 0.1, "noise_offset_random_strength": True, "adaptive_noise_scale": 0.2},
        {"noise_offset": 0.15, "adaptive_noise_scale": -0.2, "v_parameterization": True},
        {**multires},
        {"multires_noise_iterations": 2, "multires_noise_discount": 0.8, "noise_offset": 0.05, "ip_noise_gamma": 0.1},
        {"ip_noise_gamma": 0.2, "ip_noise_gamma_random_strength": True, "v_parameterization": True},
        {"zero_terminal_snr": True, "v_parameterization": True},
        {"zero_terminal_snr": True, "ip_noise_gamma": 0.1, **multires},
    ]
    losses = [
        {},
        {"loss_type": "l1", "min_snr_gamma": 5},
        {"loss_type": "huber"},
        {"loss_type": "smooth_l1", "huber_c": 0.25, "huber_scale": 3},
        {"loss_type": "huber", "huber_schedule": "exponential", "huber_c": 0.02, "huber_scale": 1.5},
        {"loss_type": "smooth_l1", "huber_schedule": "constant", "huber_c": 0.3, "huber_scale": 0.5},
        {"loss_type": "huber", "zero_terminal_snr": True, "v_parameterization": True, "min_snr_gamma": 5},
        {"min_snr_gamma": 5, "v_pred_like_loss": 0.5, "timesteps": [0, 20, 700]},
        {"debiased_estimation_loss": True, "timesteps": [0, 20, 700]},
        {"v_parameterization": True, "scale_v_pred_loss_like_noise_pred": True, "timesteps": [0, 20, 700]},
        {"v_parameterization": True, "debiased_estimation_loss": True, "scale_v_pred_loss_like_noise_pred": True},
        {"min_snr_gamma": 1, "debiased_estimation_loss": True, "v_pred_like_loss": 0.2, "zero_terminal_snr": True},
    ]
    content = {
        "shape": SHAPE,
        "timesteps": TIMESTEPS.tolist(),
        "zeroTerminalAlphas": scheduler(True)[0].alphas_cumprod.tolist(),
        "uniforms": given["uniforms"],
        "share": given["share"],
        "levels": [{"shape": list(level.shape), "samples": listed(level)} for level in given["levels"]],
        **{key: listed(given[key]) for key in ("latents", "noise", "shifts", "extra", "prediction")},
        "noisy": [noisy_case(given, settings) for settings in noisy],
        "losses": [loss_case(given, settings) for settings in losses],
    }
    # One target for all: it does not depend on the settings.
    content["target"] = content["losses"][0]["target"]
    for case in content["losses"]:
        assert case.pop("target") == content["target"]
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in content.items()]
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(noisy)} noises and {len(losses)} losses in {OUT.name}: {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
