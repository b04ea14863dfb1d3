"""Learning rates at every update, from transformers and diffusers set up as sd-scripts' get_scheduler_fix does it.

Writes tests/unit/fixtures/rates.json: per case the settings by sd-scripts' names and the factor of every update.
"""

import ast
import json
from pathlib import Path

import torch
from diffusers.optimization import get_piecewise_constant_schedule
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION, SchedulerType

OUT = Path(__file__).parents[1] / "unit" / "fixtures" / "rates.json"

# The group's own rate differs from the optimizer's default on purpose: polynomial reads the default.
GROUP_RATE = 1.0


def make(name: str, total: int, settings: dict):
    """The scheduler that sd-scripts would make of these settings."""
    base = settings.get("learning_rate", 1e-4)
    parameters = [{"params": [torch.zeros(1, requires_grad=True)], "lr": GROUP_RATE}]
    optimizer = torch.optim.SGD(parameters, lr=base)

    def updates(key: str) -> int:
        value = settings.get(key, 0)
        return int(value * total) if isinstance(value, float) else value

    warmup, decay = updates("lr_warmup_steps"), updates("lr_decay_steps")
    cycles = settings.get("lr_scheduler_num_cycles", 1)
    floor = settings.get("lr_scheduler_min_lr_ratio")
    extra = dict(entry.split("=") for entry in settings.get("lr_scheduler_args", []))
    extra = {key: ast.literal_eval(value) for key, value in extra.items()}
    if name == "piecewise_constant":
        return optimizer, get_piecewise_constant_schedule(optimizer, **extra)
    if "lr_scheduler_type" in settings:
        return optimizer, getattr(torch.optim.lr_scheduler, settings["lr_scheduler_type"])(optimizer, **extra)
    function = TYPE_TO_SCHEDULER_FUNCTION[SchedulerType(name)]
    if name == "constant":
        return optimizer, function(optimizer, **extra)
    if name == "constant_with_warmup":
        return optimizer, function(optimizer, num_warmup_steps=warmup, **extra)
    if name == "inverse_sqrt":
        timescale = settings.get("lr_scheduler_timescale")
        return optimizer, function(optimizer, num_warmup_steps=warmup, timescale=timescale, **extra)
    if name == "warmup_stable_decay":
        extra |= {"num_cycles": cycles / 2, "min_lr_ratio": 0.0 if floor is None else floor}
        stable = total - warmup - decay
        lengths = {"num_warmup_steps": warmup, "num_stable_steps": stable, "num_decay_steps": decay}
        return optimizer, function(optimizer, **lengths, **extra)
    if name == "cosine_with_restarts":
        extra |= {"num_cycles": cycles}
    if name == "polynomial":
        extra |= {"power": settings.get("lr_scheduler_power", 1)}
    if name == "cosine_with_min_lr":
        extra |= {"num_cycles": cycles / 2, "min_lr_rate": floor}
    return optimizer, function(optimizer, num_warmup_steps=warmup, num_training_steps=total, **extra)


def factors(name: str, total: int, settings: dict) -> list[float]:
    optimizer, scheduler = make(name, total, settings)
    rates = []
    for _ in range(total):
        rates.append(scheduler.get_last_lr()[0] / GROUP_RATE)
        optimizer.step()
        if len(rates) < total:
            scheduler.step()
    return rates


def cases() -> list[tuple[str, int, dict]]:
    warm = [{}, {"lr_warmup_steps": 3}, {"lr_warmup_steps": 0.13}]
    plain = ["constant_with_warmup", "cosine", "linear", "cosine_with_restarts", "polynomial", "inverse_sqrt"]
    found = [("constant", 5, {}), ("cosine", 7, {"lr_warmup_steps": 7}), ("linear", 7, {"lr_warmup_steps": 9})]
    found += [(name, total, settings) for name in plain for total in (1, 11, 40) for settings in warm]
    for total in (11, 40):
        for warmup in (0, 4):
            with_warmup = {"lr_warmup_steps": warmup}
            floored = {**with_warmup, "lr_scheduler_min_lr_ratio": 0.1}
            found += [
                ("cosine_with_restarts", total, {**with_warmup, "lr_scheduler_num_cycles": 3}),
                ("cosine", total, {**with_warmup, "lr_scheduler_args": ["num_cycles=1.5"]}),
                ("polynomial", total, {**with_warmup, "lr_scheduler_power": 2.5, "learning_rate": 3e-7}),
                ("polynomial", total, {**with_warmup, "lr_scheduler_args": ["lr_end=1e-5"], "learning_rate": 2e-5}),
                ("inverse_sqrt", total, {**with_warmup, "lr_scheduler_timescale": 6}),
                ("cosine_with_min_lr", total, floored),
                ("cosine_with_min_lr", total, {**floored, "lr_scheduler_num_cycles": 4}),
                ("cosine_with_min_lr", total, {**with_warmup, "lr_scheduler_args": ["min_lr=2e-5"], "learning_rate": 5e-5}),
                ("warmup_stable_decay", total, with_warmup),
                ("warmup_stable_decay", total, {**floored, "lr_decay_steps": 5}),
                ("warmup_stable_decay", total, {**floored, "lr_decay_steps": 0.4, "lr_scheduler_num_cycles": 3}),
                ("warmup_stable_decay", total, {**floored, "lr_decay_steps": 9}),
            ]
            for ramp in ("linear", "cosine", "1-sqrt"):
                ramps = [f"warmup_type='{ramp}'", f"decay_type='{ramp}'"]
                found.append(("warmup_stable_decay", total, {**floored, "lr_decay_steps": 5, "lr_scheduler_args": ramps}))
    own = [
        ("StepLR", ["step_size=4"]), ("StepLR", ["step_size=3", "gamma=0.5"]),
        ("MultiStepLR", ["milestones=[2,2,9]", "gamma=0.3"]), ("MultiStepLR", ["milestones=[5]"]),
        ("ConstantLR", []), ("ConstantLR", ["factor=0.5", "total_iters=8"]),
        ("LinearLR", []), ("LinearLR", ["start_factor=1.0", "end_factor=0.1", "total_iters=20"]),
        ("ExponentialLR", ["gamma=0.9"]), ("PolynomialLR", []), ("PolynomialLR", ["total_iters=11", "power=2.5"]),
        ("CosineAnnealingLR", ["T_max=7"]), ("CosineAnnealingLR", ["T_max=12", "eta_min=0.1"]),
        ("CosineAnnealingWarmRestarts", ["T_0=5"]), ("CosineAnnealingWarmRestarts", ["T_0=3", "T_mult=2", "eta_min=0.25"]),
    ]
    for torch_name, entries in own:
        settings = {"lr_scheduler_type": torch_name, "lr_scheduler_args": entries, "learning_rate": GROUP_RATE}
        found += [("constant", total, settings) for total in (1, 26)]
    rules = ["1:4,0.1:9,0.01", "0.5:9,2:4,0", "0.3", "1:4,0.7:4,0.2"]
    found += [("piecewise_constant", 12, {"lr_scheduler_args": [f"step_rules='{rule}'"]}) for rule in rules]
    return found


def main() -> None:
    lines = []
    for name, total, settings in cases():
        settings = {"lr_scheduler": name, "learning_rate": 1e-4, **settings}
        lines.append(json.dumps({"settings": settings, "total": total, "factors": factors(name, total, settings)}))
    OUT.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(lines)} schedules in {OUT.name}")


if __name__ == "__main__":
    main()
