"""
Writes the demo checkpoint: one f16 .safetensors in the exact layout of a Stable Diffusion 1 checkpoint, with licence,
recipe version and hash of the weights in its metadata.

    python export.py <work> ../../public/demo/lorasmith-avatars.safetensors
"""

import argparse
import hashlib
from pathlib import Path

import torch
from safetensors.torch import save_file

from model.run import load

RECIPE_VERSION = "1"

args = argparse.ArgumentParser()
args.add_argument("work", type=Path)
args.add_argument("out", type=Path)
args = args.parse_args()

state = load(args.work / "unet.pt")
weights = state["ema"]
decoder = args.work / "decoder.pt"
vae = load(args.work / "vae-final.pt")
if decoder.exists():
    vae.update(load(decoder)["ema"])
tensors = {}
for key, value in weights.items():
    part, name = key.split(".", 1)
    prefix = {"unet": "model.diffusion_model.", "text": "cond_stage_model.transformer."}[part]
    tensors[prefix + name] = value
for key, value in vae.items():
    tensors[f"first_stage_model.{key}"] = value
tensors = {key: value.half().contiguous() for key, value in sorted(tensors.items()) if value.is_floating_point()}
for key, value in tensors.items():
    assert torch.isfinite(value).all(), key
digest = hashlib.sha256()
for key, value in tensors.items():
    digest.update(key.encode())
    digest.update(value.numpy().tobytes())
tensors["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77).reshape(1, 77)
save_file(
    tensors,
    args.out,
    metadata={
        "format": "pt",
        "modelspec.title": "Lorasmith avatars",
        "modelspec.architecture": "stable-diffusion-v1",
        "modelspec.author": "Lorasmith",
        "modelspec.license": "CC0-1.0",
        "modelspec.description": "A miniature diffusion model of DiceBear avatars (avataaars and Open Peeps by Pablo Stanley, "
        "Lorelei by Lisa Wischofsky), 128 x 128 pixels, for trying Lorasmith out.",
        "lorasmith.recipe": f"tools/demo-model, version {RECIPE_VERSION}, UNet step {state['step']}",
        "lorasmith.weights_sha256": digest.hexdigest(),
    },
)
print(f"{args.out.stat().st_size / 2**20:.1f} MiB, {len(tensors)} tensors, weights {digest.hexdigest()[:16]}")
