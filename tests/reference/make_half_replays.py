"""What PyTorch's mixed precision makes of replay traces: autocast, half frozen weights and, with fp16, a gradient scaler.

sd-scripts casts the frozen models to the half type and trains f32 adapters under `accelerator.autocast()`. For each of RUNS and
type: data/replay/<name>.<type>.json (losses, gradient norms, and how far all of it is from the f32 run of the same trace)
and, of those in WITH_ADAPTER, <name>.<type>.safetensors (the adapter after the last update). data/loss-scale.json:
GradScaler's scale behind each of the updates at which it changes, where some updates overflow.
"""

import json

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import get_scheduler

from kohya_lora import LoraNetwork
from make_goldens import schedule
from make_replays import Trajectory, change, conv_settings, cosine, optimizer_for, snr_weight, worst
from models import FAMILIES, Family, load_models
from paths import DATA, REPLAY, mini

RUNS = ("sd1-adamw-both-b1-accumulate-minsnr", "sd2-adamw-both-b1-v", "sd1-adamw-unet-b2-locon")
WITH_ADAPTER = RUNS[:2]
TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp8": torch.float8_e4m3fn}


def round_frozen(name: str, p: torch.nn.Parameter, dtype: torch.dtype) -> None:
    """The half types take everything that is frozen. fp8 takes matrices and convolutions, and is computed with in f32."""
    if dtype != torch.float8_e4m3fn:
        p.data = p.data.to(dtype)
    elif p.dim() >= 2 and not name.endswith(("token_embedding.weight", "position_embedding.weight")):
        p.data = p.data.to(dtype).float()


def train(f: Family, config: dict, given: dict, initial: dict, dtype: torch.dtype) -> tuple[Trajectory, dict]:
    models = load_models(f, mini(f.name))
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
    trained = set(network.parameters())
    for module in (models.unet, models.text):
        for name, p in module.named_parameters():
            if p not in trained:
                round_frozen(name, p, dtype)
    is_half = dtype != torch.float8_e4m3fn
    optimizer = optimizer_for(network, config)
    lr_scheduler = get_scheduler(
        config["lr_scheduler"], optimizer, config.get("lr_warmup_steps", 0), config["max_train_steps"]
    )
    scaler = torch.amp.GradScaler("cpu", enabled=dtype == torch.float16)
    noise_scheduler = schedule()
    alphas = noise_scheduler.alphas_cumprod
    all_snr = alphas / (1 - alphas)
    v_prediction = config.get("v_parameterization", False)
    accumulate = config["gradient_accumulation_steps"]
    losses, grad_norms, skipped = [], [], 0
    for i in range(config["max_train_steps"] * accumulate):
        latents, noise, steps = given[f"latents.{i}"], given[f"noise.{i}"], given[f"timesteps.{i}"].long()
        with torch.autocast("cpu", dtype=dtype if is_half else torch.bfloat16, enabled=is_half):
            context = models.encode_text(given[f"input_ids.{i}"])
            prediction = models.predict(noise_scheduler.add_noise(latents, noise, steps), steps, context)
        target = noise_scheduler.get_velocity(latents, noise, steps) if v_prediction else noise
        loss = torch.nn.functional.mse_loss(prediction.float(), target, reduction="none").mean([1, 2, 3])
        if config.get("min_snr_gamma"):
            loss = loss * snr_weight(all_snr[steps], config["min_snr_gamma"], v_prediction)
        loss = loss.mean()
        scaler.scale(loss / accumulate).backward()
        losses.append(float(loss.detach()))
        if (i + 1) % accumulate:
            continue
        scaler.unscale_(optimizer)
        grad_norms.append(float(torch.stack([p.grad.double().norm() for p in network.parameters()]).norm()))
        if config["max_grad_norm"]:
            torch.nn.utils.clip_grad_norm_(network.parameters(), config["max_grad_norm"])
        before = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        if scaler.get_scale() < before:
            skipped += 1
        else:
            lr_scheduler.step()
        optimizer.zero_grad()
    return Trajectory(losses, grad_norms, network.tensors()), {"scale": scaler.get_scale(), "skipped": skipped}


def make(name: str, precision: str) -> None:
    trace = REPLAY / f"{name}.trace.safetensors"
    with safe_open(trace, "pt") as opened:
        config = json.loads(opened.metadata()["config"])
    tensors = load_file(trace)
    initial = {k.removeprefix("adapter."): v for k, v in tensors.items() if k.startswith("adapter.")}
    full = json.loads((REPLAY / f"{name}.expected.json").read_text())
    expected = {k: v.reshape(initial[k].shape) for k, v in load_file(REPLAY / f"{name}.expected.safetensors").items()}
    result, scaling = train(FAMILIES[name[:3]], config, tensors, initial, TYPES[precision])
    found = {
        "losses": result.losses,
        "grad_norms": result.grad_norms,
        **scaling,
        "f32": {
            "loss_relative": worst(result.losses, full["losses"]),
            "grad_norm_relative": worst(result.grad_norms, full["grad_norms"]),
            "adapter_cosine": cosine(result.adapter, expected),
            "adapter_change_cosine": cosine(change(result.adapter, initial), change(expected, initial)),
        },
    }
    if name in WITH_ADAPTER:
        shaped = {k: v.float().reshape(initial[k].shape).contiguous() for k, v in result.adapter.items()}
        save_file(shaped, REPLAY / f"{name}.{precision}.safetensors")
    (REPLAY / f"{name}.{precision}.json").write_text(json.dumps(found, indent=1) + "\n")
    print(name, precision, found["f32"], scaling)


def make_scales() -> None:
    overflows = [0, 1, 5, 7, 2010, 6100]
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0)
    scaler = torch.amp.GradScaler("cpu")
    scales = []
    for update in range(8200):
        scaler.scale(weight.sum()).backward()
        if update in overflows:
            weight.grad.fill_(float("inf"))
        before = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        if scaler.get_scale() != before:
            scales.append([update, scaler.get_scale()])
    (DATA / "loss-scale.json").write_text(json.dumps({"updates": 8200, "overflows": overflows, "scales": scales}) + "\n")


def make_float8() -> None:
    """The first f16 pattern that rounds to each e4m3 pattern, from 0 up."""
    halves = torch.arange(0, 0x7C00, dtype=torch.int32).to(torch.int16).view(torch.float16)
    codes = halves.to(torch.float8_e4m3fn).view(torch.uint8).int()
    first = [int((codes < code).sum()) for code in range(127)]
    (DATA / "float8.json").write_text(json.dumps({"first": first}) + "\n")


def main() -> None:
    for run in RUNS:
        for precision in TYPES:
            if precision != "fp8" or run == RUNS[0]:
                make(run, precision)
    make_scales()
    make_float8()


if __name__ == "__main__":
    main()
