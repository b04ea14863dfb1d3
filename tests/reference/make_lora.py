"""A LoRA file as sd-scripts writes it, and what it does: data/lora-sd1.safetensors, data/lora-sd1-golden.safetensors."""

import torch
from safetensors.torch import load_file, save_file

from kohya_lora import LoraNetwork
from models import SD1, Models, load_models
from paths import DATA, mini

RANK, ALPHA = 2, 1.0
INPUTS = ("unet.x", "unet.timesteps", "unet.context", "te.input_ids")


def outputs(models: Models, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`unet.y` from the given context; `te.hidden`; `full.y` from the context that the text encoder makes."""
    x, timesteps = given["unet.x"], given["unet.timesteps"]
    with torch.no_grad():
        hidden = models.encode_text(given["te.input_ids"])
        return {
            "unet.y": models.predict(x, timesteps, given["unet.context"]),
            "te.hidden": hidden,
            "full.y": models.predict(x, timesteps, hidden),
        }


def main() -> None:
    models = load_models(SD1, mini("sd1"))
    network = LoraNetwork(models, RANK, ALPHA, seed=400)
    network.randomize_up(0.15, seed=401)
    tensors = {k: v.half() for k, v in network.tensors().items()}
    # The golden is what the file says, not what it was rounded from.
    network.load({k: v.float() for k, v in tensors.items()})
    save_file(tensors, DATA / "lora-sd1.safetensors", metadata={"ss_network_module": "networks.lora"})

    golden = load_file(DATA / "golden-sd1.safetensors")
    given = {k: golden[k] for k in INPUTS}
    with_lora = outputs(models, given)
    network.enable(False)
    without = outputs(models, given)
    both = {f"base.{k}": v for k, v in without.items()} | {f"lora.{k}": v for k, v in with_lora.items()}
    save_file(given | both, DATA / "lora-sd1-golden.safetensors")
    for k, v in with_lora.items():
        print(f"lora-sd1: {k} moves by {float((v - without[k]).norm() / without[k].norm()):.2f} of its size")


if __name__ == "__main__":
    main()
