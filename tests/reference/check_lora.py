"""Loads a kohya LoRA file with diffusers' and peft's own loader and says what it does to the PyTorch models.

    python check_lora.py MODEL.safetensors LORA.safetensors GOLDEN.safetensors [--out FILE] [--tolerance 1e-4]

MODEL is a mini checkpoint (its family is read from its keys). GOLDEN gives `unet.x`, `unet.timesteps`, `unet.context`
and `te.input_ids`; whichever of `{base,lora}.{unet.y,te.hidden,full.y}` it holds are compared, and a difference beyond
the tolerance (relative, L2) is exit status 1. Nothing of `kohya_lora.py` is used here.
"""

import argparse
import sys

import torch
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from safetensors.torch import load_file, save_file

from ldm_names import TEXT_OPEN
from make_lora import outputs
from models import SD1, SD2, Models, load_models


def apply(models: Models, path: str) -> list[str]:
    """Adds the LoRA to UNet and text encoder; returns the adapted modules. A key that the loader drops is an error."""
    file = load_file(path)
    loader = StableDiffusionLoraLoaderMixin
    # Counted now: the loader empties the dictionary.
    expected = sum(k.endswith(".lora_down.weight") for k in file)
    state, alphas = loader.lora_state_dict(file)
    loader.load_lora_into_unet(state, alphas, models.unet)
    loader.load_lora_into_text_encoder(state, alphas, models.text, prefix="text_encoder")
    adapted = [n for m in (models.unet, models.text) for n, p in m.named_modules() if hasattr(p, "lora_A") and p.lora_A]
    if len(adapted) != expected:
        raise ValueError(f"{expected} modules in {path}, {len(adapted)} adapted")
    return adapted


def compare(kind: str, ours: dict[str, torch.Tensor], golden: dict[str, torch.Tensor], tolerance: float) -> bool:
    good = True
    for k, v in ours.items():
        expected = golden.get(f"{kind}.{k}")
        if expected is not None:
            error = float((v - expected).norm() / expected.norm())
            good &= error <= tolerance
            print(f"{kind}.{k}: relative difference {error:.1e}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name in ("model", "lora", "golden"):
        parser.add_argument(name)
    parser.add_argument("--out")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    args = parser.parse_args()

    family = SD2 if any(k.startswith(TEXT_OPEN) for k in load_file(args.model)) else SD1
    models = load_models(family, args.model)
    golden = load_file(args.golden)
    base = outputs(models, golden)
    adapted = apply(models, args.lora)
    print(f"{len(adapted)} modules adapted")
    with_lora = outputs(models, golden)
    for k, v in with_lora.items():
        print(f"{k}: the LoRA moves it by {float((v - base[k]).norm() / base[k].norm()):.3f} of its size")
    if args.out:
        tensors = {f"base.{k}": v for k, v in base.items()} | {f"lora.{k}": v for k, v in with_lora.items()}
        save_file(tensors, args.out)
    results = [compare("base", base, golden, args.tolerance), compare("lora", with_lora, golden, args.tolerance)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
