"""
What a LoRA changed, in numbers. All folders hold PNG files; those of base and LoRA were drawn with the same prompts and
seeds (`lorasmith sample --prompts`).

    python measure.py <work> --pictures <the character's> --base <with its prompts> --lora <the same with the LoRA> \
                      --prior-base <other prompts> --prior-lora <the same with the LoRA> --tagger <folder>

Two distances: in the autoencoder's latents (root mean square, times 0.18215),
and in the tagger's answers (Euclidean, over all tags).
"""

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image

from model.run import load
from model.vae import Vae

args = argparse.ArgumentParser()
args.add_argument("work", type=Path)
for name in ("pictures", "base", "lora", "prior-base", "prior-lora", "tagger"):
    args.add_argument(f"--{name}", type=Path, required=True)
args = args.parse_args()

vae = Vae().eval()
vae.load_state_dict(load(args.work / "vae-final.pt"))
session = onnxruntime.InferenceSession(str(args.tagger / "model.onnx"))


def describe(folder):
    """→ latents [N, …] and tag probabilities [N, tags] of a folder's pictures, by name."""
    latents, tags = [], []
    for path in sorted(folder.rglob("*.png")):
        picture = Image.open(path).convert("RGB").resize((128, 128), Image.BICUBIC)
        x = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.no_grad():
            latents.append(vae.encode(x)[0][0].numpy() * 0.18215)
        big = np.asarray(picture.resize((448, 448), Image.BICUBIC), np.float32)[None, :, :, ::-1]
        tags.append(session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(big)})[0][0])
    if not latents:
        raise SystemExit(f"{folder} holds no PNG files")
    return np.stack(latents), np.stack(tags)


def to_set(samples, pictures):
    """Mean over samples of the distance to the nearest of the set's pictures: latents by RMS, tags by Euclid."""
    z = [min(float(np.sqrt(np.mean((a - b) ** 2))) for b in pictures[0]) for a in samples[0]]
    t = [min(float(np.linalg.norm(a - b)) for b in pictures[1]) for a in samples[1]]
    return np.mean(z), np.mean(t)


def pairwise(a, b):
    """Mean over pairs of the same prompt and seed."""
    z = np.sqrt(np.mean((a[0] - b[0]) ** 2, axis=(1, 2, 3)))
    return float(z.mean()), float(np.linalg.norm(a[1] - b[1], axis=1).mean())


pictures, base, lora = describe(args.pictures), describe(args.base), describe(args.lora)
prior_base, prior_lora = describe(args.prior_base), describe(args.prior_lora)
rng = np.random.default_rng(0)
shuffled = rng.permutation(len(prior_base[0]))
print("to the nearest of the character's pictures (latents, tags)")
print("  base  %.3f  %.3f" % to_set(base, pictures))
print("  LoRA  %.3f  %.3f" % to_set(lora, pictures))
print("other prompts, LoRA against base (latents, tags)")
print("  drift                     %.3f  %.3f" % pairwise(prior_base, prior_lora))
print("  two different prompts     %.3f  %.3f" % pairwise(prior_base, tuple(part[shuffled] for part in prior_base)))
