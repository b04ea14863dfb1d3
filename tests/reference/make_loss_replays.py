"""Short replay traces with sd-scripts' kinds of loss, input noise and schedules: data/replay-loss/<name>.safetensors.

As make_replays.py, but the losses are those of make_noise_loss.py and the rates those of make_rates.py. Metadata of a
trace: `config`, and `expected` with the losses per micro-batch and the gradient norms per update.
"""

import json

import torch
from safetensors.torch import save_file

from kohya_lora import LoraNetwork
from make_goldens import token_ids
from make_noise_loss import sample_losses, scheduler
from make_rates import factors
from models import FAMILIES, load_models
from paths import DATA, mini, seeded

OUT = DATA / "replay-loss"
UPDATES = 5
BATCH, HEIGHT, WIDTH = 2, 8, 8
COMMON = {
    "network_module": "networks.lora",
    "network_dim": 1,
    "network_alpha": 1,
    "optimizer_type": "AdamW",
    "learning_rate": 1e-3,
    "max_train_steps": UPDATES,
    "gradient_accumulation_steps": 1,
    "max_grad_norm": 1.0,
    "train_batch_size": BATCH,
}
RUNS = {
    "sd1-huber-input-noise": {
        "network_train_unet_only": True,
        "loss_type": "huber",
        "debiased_estimation_loss": True,
        "ip_noise_gamma": 0.1,
        "lr_scheduler": "cosine_with_min_lr",
        "lr_scheduler_min_lr_ratio": 0.2,
        "lr_warmup_steps": 2,
    },
    "sd1-l1-like-v-both": {
        "loss_type": "l1",
        "v_pred_like_loss": 0.5,
        "text_encoder_lr": 5e-4,
        "gradient_accumulation_steps": 2,
        "lr_scheduler": "linear",
    },
    "sd2-v-smooth-l1-zero-terminal": {
        "network_train_unet_only": True,
        "v_parameterization": True,
        "zero_terminal_snr": True,
        "scale_v_pred_loss_like_noise_pred": True,
        "min_snr_gamma": 5,
        "loss_type": "smooth_l1",
        "huber_schedule": "exponential",
        "lr_scheduler": "polynomial",
        "lr_scheduler_power": 2.0,
    },
}


def recorded(f, config: dict, count: int, seed: int) -> dict[str, torch.Tensor]:
    g = seeded(seed)
    out = {}
    for i in range(count):
        shape = (BATCH, 4, HEIGHT, WIDTH)
        out[f"latents.{i}"] = torch.randn(shape, generator=g)
        out[f"noise.{i}"] = torch.randn(shape, generator=g)
        if "ip_noise_gamma" in config:
            out[f"input_noise.{i}"] = out[f"noise.{i}"] + config["ip_noise_gamma"] * torch.randn(shape, generator=g)
        out[f"timesteps.{i}"] = torch.randint(0, 1000, (BATCH,), generator=g, dtype=torch.int32)
        out[f"input_ids.{i}"] = token_ids(f, BATCH, g)
    # The step that zero_terminal_snr changes most.
    out["timesteps.0"][0] = 999
    return out


def make(name: str, seed: int) -> None:
    f = FAMILIES[name[:3]]
    config = COMMON | RUNS[name] | {"v2": name.startswith("sd2")}
    accumulate = config["gradient_accumulation_steps"]
    given = recorded(f, config, UPDATES * accumulate, seed)
    models = load_models(f, mini(f.name))
    network = LoraNetwork(models, 1, 1, seed=seed + 1, text=not config.get("network_train_unet_only", False))
    network.randomize_up(0.05, seed + 2)
    start = {f"adapter.{key}": value.clone() for key, value in network.tensors().items()}
    sides = ((network.text, config.get("text_encoder_lr", config["learning_rate"])), (network.unet, config["learning_rate"]))
    groups = [{"params": [p for m in side.values() for p in m.parameters()], "lr": lr} for side, lr in sides if side]
    optimizer = torch.optim.AdamW(groups, lr=config["learning_rate"])
    rates = factors(config["lr_scheduler"], UPDATES, config)
    bases = [group["lr"] for group in optimizer.param_groups]
    noise_scheduler, _ = scheduler(config.get("zero_terminal_snr", False))
    losses, norms = [], []
    for i in range(UPDATES * accumulate):
        latents, noise, steps = given[f"latents.{i}"], given[f"noise.{i}"], given[f"timesteps.{i}"].long()
        noisy = noise_scheduler.add_noise(latents, given.get(f"input_noise.{i}", noise), steps)
        prediction = models.predict(noisy, steps, models.encode_text(given[f"input_ids.{i}"]))
        is_v = config.get("v_parameterization", False)
        target = noise_scheduler.get_velocity(latents, noise, steps) if is_v else noise
        loss = sample_losses(config, prediction, target, steps).mean()
        (loss / accumulate).backward()
        losses.append(float(loss.detach()))
        if (i + 1) % accumulate:
            continue
        norms.append(float(torch.nn.utils.clip_grad_norm_(network.parameters(), config["max_grad_norm"])))
        for group, base in zip(optimizer.param_groups, bases):
            group["lr"] = base * rates[len(norms) - 1]
        optimizer.step()
        optimizer.zero_grad()
    expected = {"losses": losses, "grad_norms": norms}
    metadata = {"config": json.dumps(config), "expected": json.dumps(expected)}
    save_file(given | start, OUT / f"{name}.safetensors", metadata=metadata)
    print(f"{name}: losses {min(losses):.4f} .. {max(losses):.4f}, norms {min(norms):.3g} .. {max(norms):.3g}")


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(RUNS):
        make(name, 900 + 10 * i)


if __name__ == "__main__":
    main()
