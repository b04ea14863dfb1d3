"""Replay traces of LyCORIS networks: ten optimizer updates from recorded inputs, by LyCORIS' own modules on the mini models.

For each run of RUNS: data/replay/<name>.trace.safetensors (what drives it), <name>.expected.json (losses and gradient
norms) and <name>.expected.safetensors (the trained factors after the last update). Factors are those of the modules, so
that a trained scalar is not yet multiplied in.
"""

import json

import torch
from lycoris.kohya import PRESET, LycorisNetworkKohya, create_network
from safetensors.torch import save_file

from make_goldens import schedule
from make_replays import COMMON, UNET_ONLY, Run, recorded_inputs
from models import FAMILIES, Models, load_models
from paths import REPLAY, mini

LYCORIS = COMMON | {"network_module": "lycoris.kohya", "max_train_steps": 10}

RUNS = [
    Run("sd1-loha-both", "sd1", 1, 8, 8, {"network_dim": 2, "network_args": ["algo=loha", "conv_dim=1"]}),
    Run(
        "sd1-lokr-unet",
        "sd1",
        2,
        8,
        8,
        {
            **UNET_ONLY,
            "network_dim": 2,
            "network_args": ["algo=lokr", "use_tucker=True", "decompose_both=True", "rs_lora=True", "conv_alpha=2", "factor=4"],
        },
    ),
    Run(
        "sd2-dora-both",
        "sd2",
        1,
        8,
        8,
        {"network_args": ["algo=locon", "preset=attn-mlp", "dora_wd=True", "use_scalar=True"], "v_parameterization": True},
    ),
]


def network_for(models: Models, config: dict, seed: int) -> LycorisNetworkKohya:
    torch.manual_seed(seed)
    # A preset changes only what it names, so the widest one comes first.
    LycorisNetworkKohya.apply_preset(PRESET["full"])
    arguments = dict(entry.split("=") for entry in config["network_args"])
    network = create_network(1.0, config["network_dim"], config["network_alpha"], None, models.text, models.unet, **arguments)
    network.apply_to(models.text, models.unet, not config.get("network_train_unet_only", False), True)
    network.train()
    return network


def factors(network: LycorisNetworkKohya, alpha: bool = False) -> dict[str, torch.Tensor]:
    """Trained tensors by kohya name, with their alphas where a trace wants them; a number is [1] there."""
    out = {}
    for module in network.loras:
        for key, p in module.named_parameters():
            out[f"{module.lora_name}.{key}"] = p.detach().clone().reshape(p.shape or (1,))
        if alpha:
            out[f"{module.lora_name}.alpha"] = module.alpha.detach().clone().float()
    return out


def make(run: Run, seed: int) -> None:
    f = FAMILIES[run.family]
    config = LYCORIS | run.config | {"v2": run.family == "sd2", "train_batch_size": run.batch}
    given = recorded_inputs(run, config["max_train_steps"], seed)
    models = load_models(f, mini(f.name))
    network = network_for(models, config, seed + 1)
    # What starts at zero gets values, so that every gradient is alive from the first step.
    with torch.no_grad():
        for p in network.parameters():
            if not p.any():
                p.copy_(torch.randn(p.shape) * 0.05)
    initial = factors(network, alpha=True)
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=config["learning_rate"])
    noise_scheduler = schedule()
    losses, grad_norms = [], []
    for i in range(config["max_train_steps"]):
        latents, noise, steps = given[f"latents.{i}"], given[f"noise.{i}"], given[f"timesteps.{i}"].long()
        context = models.encode_text(given[f"input_ids.{i}"])
        prediction = models.predict(noise_scheduler.add_noise(latents, noise, steps), steps, context)
        is_v = config.get("v_parameterization", False)
        target = noise_scheduler.get_velocity(latents, noise, steps) if is_v else noise
        loss = torch.nn.functional.mse_loss(prediction, target)
        loss.backward()
        losses.append(float(loss.detach()))
        grad_norms.append(float(torch.stack([p.grad.double().norm() for p in parameters if p.grad is not None]).norm()))
        torch.nn.utils.clip_grad_norm_(parameters, config["max_grad_norm"])
        optimizer.step()
        optimizer.zero_grad()
    save_file(
        given | {f"adapter.{k}": v for k, v in initial.items()},
        REPLAY / f"{run.name}.trace.safetensors",
        metadata={"config": json.dumps(config)},
    )
    save_file(factors(network), REPLAY / f"{run.name}.expected.safetensors")
    text = json.dumps({"losses": losses, "grad_norms": grad_norms}, indent=1)
    (REPLAY / f"{run.name}.expected.json").write_text(text + "\n")
    print(f"{run.name}: {len(network.loras)} modules, losses {min(losses):.4f} .. {max(losses):.4f}, norms up to {max(grad_norms):.3g}")


def main() -> None:
    REPLAY.mkdir(parents=True, exist_ok=True)
    for i, run in enumerate(RUNS):
        make(run, 700 + 10 * i)


if __name__ == "__main__":
    main()
