"""Replay traces: optimizer updates (20, or what its settings say) of a LoRA run from recorded inputs, as sd-scripts would take them.

For each run of RUNS: data/replay/<name>.trace.safetensors (what drives it), <name>.expected.json (losses per
micro-batch, gradient norms per update, how well f32 itself determines them) and <name>.expected.safetensors (the
adapter after the last update).
"""

import json
from dataclasses import dataclass, field

import torch
from lion_pytorch import Lion
from safetensors.torch import save_file
from transformers import get_scheduler

from kohya_lora import LoraNetwork
from make_goldens import schedule, token_ids
from models import FAMILIES, Family, load_models
from paths import REPLAY, mini, seeded
from precision import computing_in

UPDATES = 20


@dataclass(frozen=True)
class Run:
    """One trace. `config` overrides the common settings; `up_std` > 0 starts from a LoRA that already does something."""

    name: str
    family: str
    batch: int
    height: int
    width: int
    config: dict = field(default_factory=dict)
    up_std: float = 0.0
    noise_offset: float = 0.0
    # sd-scripts gets 4-D proj_in/proj_out factors from any checkpoint file, 2-D ones from a diffusers folder.
    conv_projections: bool = False


COMMON = {
    "network_module": "networks.lora",
    "network_dim": 2,
    "network_alpha": 1,
    "optimizer_type": "AdamW",
    "learning_rate": 1e-3,
    "lr_scheduler": "constant",
    "max_train_steps": UPDATES,
    "gradient_accumulation_steps": 1,
    "max_grad_norm": 1.0,
    "mixed_precision": "no",
}
UNET_ONLY = {"network_train_unet_only": True}
WARMUP = {"lr_scheduler": "cosine", "lr_warmup_steps": 3}

RUNS = [
    Run("sd1-adamw-unet-b1-cosine", "sd1", 1, 8, 16, {**UNET_ONLY, **WARMUP, "unet_lr": 3e-3, "max_grad_norm": 0.02}),
    Run(
        "sd1-lion-both-b3",
        "sd1",
        3,
        8,
        8,
        {"optimizer_type": "Lion", "unet_lr": 4e-4, "text_encoder_lr": 1e-4, "max_grad_norm": 0.15},
        up_std=0.05,
        noise_offset=0.1,
    ),
    Run(
        "sd1-adamw-both-b1-accumulate-minsnr",
        "sd1",
        1,
        8,
        8,
        {"gradient_accumulation_steps": 2, "min_snr_gamma": 5, "unet_lr": 2e-3, "text_encoder_lr": 5e-4, **WARMUP},
        up_std=0.05,
    ),
    Run(
        "sd1-adamw-text-b1",
        "sd1",
        1,
        8,
        8,
        {"network_train_text_encoder_only": True, "max_grad_norm": 0, "network_dim": 4, "network_alpha": 4},
    ),
    Run(
        "sd2-adamw-both-b1-v",
        "sd2",
        1,
        8,
        8,
        {"v_parameterization": True, "text_encoder_lr": 2e-3, "unet_lr": 1e-3, "max_grad_norm": 0.05},
        conv_projections=True,
    ),
    Run("sd2-lion-unet-b3", "sd2", 3, 8, 8, {**UNET_ONLY, **WARMUP, "optimizer_type": "Lion", "learning_rate": 4e-4}),
    Run(
        "sd2-adamw-unet-b3-v-minsnr",
        "sd2",
        3,
        8,
        8,
        {**UNET_ONLY, "v_parameterization": True, "min_snr_gamma": 5, "lr_scheduler": "cosine"},
        up_std=0.05,
    ),
    Run(
        "sd1-adamw-unet-b2-locon",
        "sd1",
        2,
        8,
        8,
        {**UNET_ONLY, "network_args": ["conv_dim=3", "conv_alpha=2"], "max_train_steps": 10},
        up_std=0.05,
    ),
]


def recorded_inputs(run: Run, count: int, seed: int) -> dict[str, torch.Tensor]:
    """Micro-batches drawn with repetition from four pictures, so that there is something to learn."""
    f, g = FAMILIES[run.family], seeded(seed)
    pictures = torch.randn(4, 4, run.height, run.width, generator=g)
    captions = token_ids(f, 4, g)
    out = {}
    for i in range(count):
        pick = torch.randint(0, 4, (run.batch,), generator=g)
        noise = torch.randn(run.batch, 4, run.height, run.width, generator=g)
        noise += run.noise_offset * torch.randn(run.batch, 4, 1, 1, generator=g)
        out[f"latents.{i}"] = pictures[pick]
        out[f"noise.{i}"] = noise
        out[f"timesteps.{i}"] = torch.randint(0, 1000, (run.batch,), generator=g, dtype=torch.int32)
        out[f"input_ids.{i}"] = captions[pick]
    return out


def conv_settings(config: dict) -> tuple[int, float] | None:
    """conv_dim and conv_alpha out of network_args, as sd-scripts reads them."""
    args = dict(entry.split("=") for entry in config.get("network_args", []))
    return (int(args["conv_dim"]), float(args.get("conv_alpha", 1))) if "conv_dim" in args else None


def optimizer_for(network: LoraNetwork, config: dict) -> torch.optim.Optimizer:
    sides = ((network.text, "text_encoder_lr"), (network.unet, "unet_lr"))
    groups = [
        {"params": [p for m in side.values() for p in m.parameters()], "lr": config.get(key, config["learning_rate"])}
        for side, key in sides
        if side
    ]
    kind = {"AdamW": torch.optim.AdamW, "Lion": Lion}[config["optimizer_type"]]
    return kind(groups, lr=config["learning_rate"])


def snr_weight(snr: torch.Tensor, gamma: float, v_prediction: bool) -> torch.Tensor:
    return snr.clamp(max=gamma) / (snr + 1 if v_prediction else snr)


@dataclass
class Trajectory:
    losses: list[float]
    grad_norms: list[float]
    adapter: dict[str, torch.Tensor]


def train(
    f: Family, config: dict, given: dict, initial: dict, dtype: torch.dtype, learn: bool = True
) -> Trajectory:
    """The loop of `train_network.py`, reduced to what the trace decides. `learn=False` keeps the first adapter."""
    models = load_models(f, mini(f.name), dtype)
    network = LoraNetwork(
        models,
        config["network_dim"],
        config["network_alpha"],
        seed=0,
        unet=not config.get("network_train_text_encoder_only", False),
        text=not config.get("network_train_unet_only", False),
        conv=conv_settings(config),
    )
    network.load(initial)
    optimizer = optimizer_for(network, config)
    lr_scheduler = get_scheduler(
        config["lr_scheduler"], optimizer, config.get("lr_warmup_steps", 0), config["max_train_steps"]
    )
    noise_scheduler = schedule()
    alphas = noise_scheduler.alphas_cumprod = noise_scheduler.alphas_cumprod.to(dtype)
    all_snr = alphas / (1 - alphas)
    v_prediction = config.get("v_parameterization", False)
    accumulate = config["gradient_accumulation_steps"]
    losses, grad_norms = [], []
    for i in range(config["max_train_steps"] * accumulate):
        latents, noise = given[f"latents.{i}"].to(dtype), given[f"noise.{i}"].to(dtype)
        steps = given[f"timesteps.{i}"].long()
        context = models.encode_text(given[f"input_ids.{i}"])
        prediction = models.predict(noise_scheduler.add_noise(latents, noise, steps), steps, context)
        target = noise_scheduler.get_velocity(latents, noise, steps) if v_prediction else noise
        loss = torch.nn.functional.mse_loss(prediction, target, reduction="none").mean([1, 2, 3])
        if config.get("min_snr_gamma"):
            loss = loss * snr_weight(all_snr[steps], config["min_snr_gamma"], v_prediction)
        loss = loss.mean()
        (loss / accumulate).backward()
        losses.append(float(loss.detach()))
        if (i + 1) % accumulate:
            continue
        grads = [p.grad for p in network.parameters()]
        grad_norms.append(float(torch.stack([g.double().norm() for g in grads]).norm()))
        if config["max_grad_norm"]:
            torch.nn.utils.clip_grad_norm_(network.parameters(), config["max_grad_norm"])
        if learn:
            optimizer.step()
            lr_scheduler.step()
        optimizer.zero_grad()
    return Trajectory(losses, grad_norms, network.tensors())


def cosine(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    x, y = (torch.cat([t[k].double().flatten() for k in sorted(a)]) for t in (a, b))
    return float(x @ y / (x.norm() * y.norm()))


def change(end: dict[str, torch.Tensor], start: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k: v - start[k].reshape(v.shape) for k, v in end.items() if not k.endswith(".alpha")}


def worst(a: list[float], b: list[float]) -> float:
    return max(abs(x - y) / abs(y) for x, y in zip(a, b))


def as_convolution(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same adapter with 4-D factors for the UNet's projections."""
    return {
        k: v[:, :, None, None] if v.dim() == 2 and ("_proj_in." in k or "_proj_out." in k) else v
        for k, v in tensors.items()
    }


def make(run: Run, seed: int) -> None:
    f = FAMILIES[run.family]
    config = COMMON | run.config | {"v2": run.family == "sd2", "train_batch_size": run.batch}
    if run.noise_offset:
        config["noise_offset"] = run.noise_offset
    given = recorded_inputs(run, config["max_train_steps"] * config["gradient_accumulation_steps"], seed)
    start = LoraNetwork(
        load_models(f, mini(f.name)),
        config["network_dim"],
        config["network_alpha"],
        seed=seed + 1,
        unet=not config.get("network_train_text_encoder_only", False),
        text=not config.get("network_train_unet_only", False),
        conv=conv_settings(config),
    )
    if run.up_std:
        start.randomize_up(run.up_std, seed + 2)
    initial = start.tensors()
    result = train(f, config, given, initial, torch.float32)
    with computing_in(torch.float64):
        exact = train(f, config, given, initial, torch.float64)
    idle = train(f, config, given, initial, torch.float32, learn=False)
    trajectory = {
        "losses": result.losses,
        "grad_norms": result.grad_norms,
        "f64": {
            "loss_relative": worst(result.losses, exact.losses),
            "grad_norm_relative": worst(result.grad_norms, exact.grad_norms),
            "adapter_cosine": cosine(result.adapter, exact.adapter),
            "adapter_change_cosine": cosine(change(result.adapter, initial), change(exact.adapter, initial)),
        },
        "loss_change_by_learning": worst(result.losses, idle.losses),
    }
    shaped = as_convolution if run.conv_projections else dict
    save_file(
        given | {f"adapter.{k}": v for k, v in shaped(initial).items()},
        REPLAY / f"{run.name}.trace.safetensors",
        metadata={"config": json.dumps(config)},
    )
    save_file(shaped(result.adapter), REPLAY / f"{run.name}.expected.safetensors")
    (REPLAY / f"{run.name}.expected.json").write_text(json.dumps(trajectory, indent=1) + "\n")
    report(run.name, trajectory)


def report(name: str, t: dict) -> None:
    exact = {k: 1 - v if "cosine" in k else v for k, v in t["f64"].items()}
    print(f"{name}: losses {min(t['losses']):.4f} .. {max(t['losses']):.4f}")
    print(f"  gradient norms {min(t['grad_norms']):.3g} .. {max(t['grad_norms']):.3g}")
    print(f"  learning changes a loss by up to {t['loss_change_by_learning']:.1e}")
    print("  f32 is off by " + ", ".join(f"{k} {v:.1e}" for k, v in exact.items()))


def main() -> None:
    REPLAY.mkdir(parents=True, exist_ok=True)
    for i, run in enumerate(RUNS):
        make(run, 300 + 10 * i)


if __name__ == "__main__":
    main()
