"""
Takes the trained autoencoder (its moving average) and encodes all pictures once: `vae-final.pt`, `latents.pt` {mean, std: [N,4,16,16] half, times 0.18215}.
"""

import argparse
from pathlib import Path

import torch

from model.data import Avatars
from model.run import load, save
from model.vae import Vae

SCALE = 0.18215

args = argparse.ArgumentParser()
args.add_argument("work", type=Path)
args.add_argument("--set", default="base")
args.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
args = args.parse_args()

avatars = Avatars(args.work, args.set)
vae = Vae().to(args.device, memory_format=torch.channels_last).eval()


@torch.no_grad()
def moments(indices):
    x = avatars.batch(indices).to(args.device)
    with torch.autocast(args.device, dtype=torch.bfloat16):
        mean, logvar = vae.encode(x)
    return mean.float(), logvar.float()


final = args.work / "vae-final.pt"
if not final.exists():
    vae.load_state_dict(load(args.work / "vae.pt")["ema"])
    save(final, vae.state_dict())
vae.load_state_dict(load(final))

mean = torch.empty(len(avatars), 4, 16, 16, dtype=torch.half)
std = torch.empty_like(mean)
for i in range(0, len(avatars), 64):
    part = range(i, min(i + 64, len(avatars)))
    m, v = moments(part)
    mean[i : i + len(part)] = (m * SCALE).half()
    std[i : i + len(part)] = (torch.exp(0.5 * v) * SCALE).half()
    if i % 6400 == 0:
        print(f"{i} of {len(avatars)}", flush=True)
save(args.work / "latents.pt", {"mean": mean, "std": std})
print("latents: mean", mean.float().mean((0, 2, 3)).tolist(), "std", mean.float().std((0, 2, 3)).tolist())
