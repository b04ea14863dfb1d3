"""Replay traces of textual inversion as train_textual_inversion.py runs it: data/replay-words/<name>.safetensors.

The whole token table is trained and, after each step, put back but for the new rows at its end. Beside what drives a
run a trace holds `words`, the rows at the start, and `expected.words`, those after the last update; metadata: `config`
and `expected` with the losses per micro-batch and, per update, the norm of the new rows' gradients.

sd-scripts clips by the norm of the whole table's gradient, Lorasmith by that of the rows that are kept: the run with
clipping takes the latter, the other run is sd-scripts' to the letter.
"""

import json

import torch
from safetensors.torch import save_file

from make_goldens import schedule, token_ids
from models import FAMILIES, Models, load_models
from paths import DATA, mini, seeded

OUT = DATA / "replay-words"
UPDATES, BATCH, SIDE, VECTORS = 10, 2, 8, 2
COMMON = {
    "training_kind": "textual_inversion",
    "token_string": "mystyle_1",
    "num_vectors_per_token": VECTORS,
    "optimizer_type": "AdamW",
    "lr_scheduler": "constant",
    "max_train_steps": UPDATES,
    "train_batch_size": BATCH,
}
RUNS = {
    "sd1-adamw": {"learning_rate": 5e-3, "max_grad_norm": 0, "gradient_accumulation_steps": 1},
    "sd2-adamw-accumulate-clip": {
        "learning_rate": 2e-3, "max_grad_norm": 0.002, "gradient_accumulation_steps": 2, "v_parameterization": True,
    },
}


def recorded_inputs(name: str, config: dict, seed: int) -> dict[str, torch.Tensor]:
    """Micro-batches of two of four pictures, whose captions have the new words at a place each, one of them twice."""
    f, g = FAMILIES[name[:3]], seeded(seed)
    pictures = torch.randn(4, 4, SIDE, SIDE, generator=g)
    captions = token_ids(f, 4, g)
    new = torch.arange(f.vocabulary, f.vocabulary + VECTORS, dtype=captions.dtype)
    for row, places in zip(captions, ([1], [4], [2, 7], [5])):
        for at in places:
            row[at : at + VECTORS] = new
    out = {"words": torch.randn(VECTORS, f.context, generator=g) * 0.3}
    for i in range(UPDATES * config["gradient_accumulation_steps"]):
        pick = torch.randint(0, 4, (BATCH,), generator=g)
        out[f"latents.{i}"] = pictures[pick]
        out[f"noise.{i}"] = torch.randn(BATCH, 4, SIDE, SIDE, generator=g)
        out[f"timesteps.{i}"] = torch.randint(0, 1000, (BATCH,), generator=g, dtype=torch.int32)
        out[f"input_ids.{i}"] = captions[pick]
    return out


def add_words(models: Models, words: torch.Tensor) -> torch.nn.Parameter:
    """Puts the rows behind the vocabulary; the table is what is trained."""
    old = models.text.get_input_embeddings()
    table = torch.nn.Embedding(old.num_embeddings + VECTORS, old.embedding_dim)
    table.weight.data = torch.cat([old.weight.data, words])
    models.text.set_input_embeddings(table)
    return table.weight


def make(name: str, changes: dict, seed: int) -> None:
    config = COMMON | changes | {"v2": name.startswith("sd2")}
    f = FAMILIES[name[:3]]
    given = recorded_inputs(name, config, seed)
    models = load_models(f, mini(f.name))
    table = add_words(models, given["words"].clone())
    original = table.detach().clone()
    optimizer = torch.optim.AdamW([table], lr=config["learning_rate"])
    noise_scheduler = schedule()
    accumulate = config["gradient_accumulation_steps"]
    losses, norms = [], []
    for i in range(UPDATES * accumulate):
        latents, noise, steps = given[f"latents.{i}"], given[f"noise.{i}"], given[f"timesteps.{i}"].long()
        context = models.encode_text(given[f"input_ids.{i}"])
        prediction = models.predict(noise_scheduler.add_noise(latents, noise, steps), steps, context)
        target = noise_scheduler.get_velocity(latents, noise, steps) if config.get("v_parameterization") else noise
        loss = torch.nn.functional.mse_loss(prediction, target)
        (loss / accumulate).backward()
        losses.append(float(loss.detach()))
        if (i + 1) % accumulate == 0:
            norms.append(float(table.grad[f.vocabulary :].double().norm()))
            if config["max_grad_norm"]:
                table.grad[: f.vocabulary] = 0
                torch.nn.utils.clip_grad_norm_([table], config["max_grad_norm"])
            optimizer.step()
            optimizer.zero_grad()
        with torch.no_grad():
            table[: f.vocabulary] = original[: f.vocabulary]
    end = table.detach()[f.vocabulary :].contiguous()
    expected = json.dumps({"losses": losses, "grad_norms": norms})
    save_file(given | {"expected.words": end}, OUT / f"{name}.safetensors", metadata={"config": json.dumps(config), "expected": expected})
    print(f"{name}: losses {min(losses):.4f} .. {max(losses):.4f}, norms {min(norms):.3g} .. {max(norms):.3g}, "
          f"moved by {float((end - given['words']).norm()):.3g}")


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for i, (name, changes) in enumerate(RUNS.items()):
        make(name, changes, 700 + 10 * i)


if __name__ == "__main__":
    main()
