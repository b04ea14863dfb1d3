"""Trains the autoencoder. Resumable: run it again with the same folder. See README.md."""

import argparse
from pathlib import Path

import torch
from torch.nn import functional as F

from model.data import Avatars
from model.pictures import picture_loss
from model.run import Training
from model.vae import Vae

args = argparse.ArgumentParser()
args.add_argument("work", type=Path)
args.add_argument("--steps", type=int, default=6000)
args.add_argument("--batch", type=int, default=12)
args.add_argument("--lr", type=float, default=1e-3)
args.add_argument("--seed", type=int, default=1)
args.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
args.add_argument("--compile", action="store_true")
args.add_argument("--state", default="vae.pt")
args = args.parse_args()

SCALE = 0.18215
# The colours of a latent cell from its four channels: the directions in which SD1's latents show them, but all of one
# length, so that saturated colours need no extreme latents.
FACTORS = torch.tensor(
    [[0.390, 0.124, 0.089],
    [0.139, 0.514, -0.116],
    [-0.409, 0.282, 0.234],
    [-0.145, 0.032, -0.533]],
    device=args.device,
)
avatars = Avatars(args.work, "base")
torch.manual_seed(args.seed)
vae = Vae().to(args.device, memory_format=torch.channels_last)
optimizer = torch.optim.AdamW(vae.parameters(), lr=args.lr, betas=(0.9, 0.99), weight_decay=1e-4)
training = Training(args, args.work / args.state, "vae", vae, optimizer, decay=0.998, clip=1.0)


def augment(x):
    """Mirror, other colours, another crop: the autoencoder shall know more than this set's palette and framing."""
    if torch.rand(()) < 0.3:
        x = x.flip(3)
    if torch.rand(()) < 0.15:
        x = x[:, torch.randperm(3)]
    if torch.rand(()) < 0.3:
        side = int(torch.randint(64, 120, ()))
        top, left = (int(torch.randint(0, 128 - side, ())) for _ in range(2))
        x = F.interpolate(x[:, :, top : top + side, left : left + side], size=128, mode="bilinear", antialias=True)
    return x.contiguous(memory_format=torch.channels_last)


def loss_of(x):
    with torch.autocast(args.device, dtype=torch.bfloat16):
        mean, logvar = vae.encode(x)
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        y = vae.decode(z)
    y, mean, logvar = y.float(), mean.float(), logvar.float()
    loss, l1 = picture_loss(y, x)
    # Latents show their cell's mean colour: it hands the encoder the colours at once (left alone they take thousands of
    # steps), and the linear previews that user interfaces draw from SD1 latents look about right.
    preview = torch.einsum("nchw,cr->nrhw", mean * SCALE, FACTORS) - F.avg_pool2d(x, 8)
    preview = preview.abs().mean() + preview.square().mean()
    kl = 0.5 * (mean * mean + logvar.exp() - 1 - logvar).mean()
    return loss + 2 * preview + 1e-4 * kl, l1, preview


run = torch.compile(loss_of, dynamic=False) if args.compile else loss_of
for _ in training.steps():
    x = augment(avatars.batch(torch.randint(0, len(avatars), (args.batch,)).numpy())).to(args.device)
    loss, l1, preview = run(x)
    training.learn(loss, l1=l1.item(), preview=preview.item())
