"""Golden outputs and adapter gradients of the mini checkpoints: data/golden-{sd1,sd2}.safetensors.

Computed in f32 and again in f64; the largest relative difference is printed, so that a tolerance can be judged.
"""

import json

import torch
from diffusers import DDPMScheduler
from safetensors.torch import save_file

from kohya_lora import LoraNetwork
from models import FAMILIES, VAE_SCALE, Family, load_models
from paths import DATA, mini, seeded
from precision import computing_in

RANK, ALPHA = 2, 1.0
# name -> (batch, latent height, latent width): square, bucket-shaped, and not divisible by every stride.
UNET_SIZES = {"unet": (2, 16, 16), "unet_wide": (1, 16, 24), "unet_odd": (1, 10, 14)}
VAE_SIZES = {"vae": (64, 64), "vae_wide": (32, 48)}


def schedule() -> DDPMScheduler:
    return DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000, clip_sample=False
    )


def token_ids(f: Family, batch: int, g: torch.Generator) -> torch.Tensor:
    """[B,77] ids in the mini vocabulary: a start, words, one end token repeated as padding."""
    ids = torch.full((batch, 77), f.vocabulary - 1, dtype=torch.int32)
    ids[:, 0] = f.vocabulary - 2
    for row in ids:
        n = int(torch.randint(4, 40, (1,), generator=g))
        row[1 : 1 + n] = torch.randint(0, f.vocabulary - 2, (n,), generator=g, dtype=torch.int32)
    return ids


def inputs(f: Family) -> dict[str, torch.Tensor]:
    g = seeded(200)
    out: dict[str, torch.Tensor] = {}
    for name, (b, h, w) in UNET_SIZES.items():
        out[f"{name}.x"] = torch.randn(b, 4, h, w, generator=g)
        out[f"{name}.timesteps"] = torch.randint(0, 1000, (b,), generator=g, dtype=torch.int32)
        out[f"{name}.context"] = torch.randn(b, 77, f.context, generator=g)
    out["te.input_ids"] = token_ids(f, 2, g)
    for name, (h, w) in VAE_SIZES.items():
        out[f"{name}.image"] = torch.rand(1, 3, h, w, generator=g) * 2 - 1
    out["vae_decode.z"] = torch.randn(1, 4, 4, 6, generator=g)
    out["train.latents"] = torch.randn(2, 4, 16, 16, generator=g)
    out["train.noise"] = torch.randn(2, 4, 16, 16, generator=g)
    out["train.timesteps"] = torch.tensor([37, 712], dtype=torch.int32)
    out["train.input_ids"] = token_ids(f, 2, g)
    return out


def compute(f: Family, given: dict[str, torch.Tensor], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    models = load_models(f, mini(f.name), dtype)
    t = {k: v.to(dtype) if v.is_floating_point() else v.long() for k, v in given.items()}
    out: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for name in UNET_SIZES:
            out[f"{name}.y"] = models.predict(t[f"{name}.x"], t[f"{name}.timesteps"], t[f"{name}.context"])
        out["te.hidden"] = models.encode_text(t["te.input_ids"])
        for name in VAE_SIZES:
            out[f"{name}.moments"] = models.vae.encode(t[f"{name}.image"]).latent_dist.parameters
        # z as the decoder sees it: already divided by the scale factor.
        out["vae_decode.image"] = models.vae.decode(t["vae_decode.z"]).sample

    network = LoraNetwork(models, RANK, ALPHA, seed=201)
    network.randomize_up(0.1, seed=202)
    scheduler = schedule()
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.to(dtype)
    latents, noise, steps = t["train.latents"], t["train.noise"], t["train.timesteps"]
    v_prediction = f.linear_projection
    target = scheduler.get_velocity(latents, noise, steps) if v_prediction else noise
    context = models.encode_text(t["train.input_ids"])
    noisy = scheduler.add_noise(latents, noise, steps)
    prediction = models.predict(noisy, steps, context)
    loss = torch.nn.functional.mse_loss(prediction, target)
    loss.backward()
    out |= {
        "train.noisy": noisy,
        "train.target": target,
        "train.context": context.detach(),
        "train.y": prediction.detach(),
        "train.loss": loss.detach(),
    }
    out |= {f"adapter.{k}": v for k, v in network.tensors().items()}
    out |= {f"grad.{k}": v for k, v in network.gradients().items()}
    return {k: v.to(torch.float32, copy=True).contiguous() for k, v in out.items()}


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm().clamp_min(1e-30))


def make(f: Family) -> None:
    given = inputs(f)
    single = compute(f, given, torch.float32)
    with computing_in(torch.float64):
        double = compute(f, given, torch.float64)
    config = {
        "v_parameterization": f.linear_projection,
        "network_dim": RANK,
        "network_alpha": ALPHA,
        "vae_scale_factor": VAE_SCALE,
    }
    save_file(
        given | single,
        DATA / f"golden-{f.name}.safetensors",
        # One entry: the library writes several in random order.
        metadata={"config": json.dumps(config)},
    )
    grads = {k: relative(single[k], double[k]) for k in single if k.startswith("grad.")}
    worst = max(grads, key=lambda k: grads[k])
    print(f"{f.name}: {len(grads)} gradients, f32 against f64 at worst {grads[worst]:.1e} ({worst})")
    print(f"  gradient norms {min(single[k].norm() for k in grads):.1e} .. {max(single[k].norm() for k in grads):.1e}")
    for k, v in single.items():
        if not k.startswith(("grad.", "adapter.")):
            size = v.std() if v.numel() > 1 else v
            print(f"  {k} {list(v.shape)} std {size:.3f} f32/f64 {relative(v, double[k]):.1e}")


def main() -> None:
    for f in FAMILIES.values():
        make(f)


if __name__ == "__main__":
    main()
