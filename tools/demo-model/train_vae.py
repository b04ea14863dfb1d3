"""Trains the autoencoder. Resumable: run it again with the same folder. See README.md."""

import argparse
import time
from pathlib import Path

import torch
from torch.nn import functional as F

from model.data import Avatars
from model.run import Log, load, one_cycle, save
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

avatars = Avatars(args.work, "base")
torch.manual_seed(args.seed)
vae = Vae().to(args.device, memory_format=torch.channels_last)
optimizer = torch.optim.AdamW(vae.parameters(), lr=args.lr, betas=(0.9, 0.99), weight_decay=1e-4)
ema = {key: value.clone() for key, value in vae.state_dict().items()}
state_file = args.work / args.state
step = 0
if state := load(state_file):
    vae.load_state_dict(state["vae"])
    optimizer.load_state_dict(state["optimizer"])
    ema, step = state["ema"], state["step"]
print(f"{sum(p.numel() for p in vae.parameters()) / 1e6:.2f} M parameters, step {step} of {args.steps}", flush=True)


def augment(x):
    """Mirror, other colours, another crop: the autoencoder shall know more than this set's palette and framing."""
    if torch.rand(()) < 0.3:
        x = x.flip(3)
    if torch.rand(()) < 0.3:
        x = x[:, torch.randperm(3)]
    if torch.rand(()) < 0.3:
        side = int(torch.randint(64, 120, ()))
        top, left = (int(torch.randint(0, 128 - side, ())) for _ in range(2))
        x = F.interpolate(x[:, :, top : top + side, left : left + side], size=128, mode="bilinear", antialias=True)
    return x.contiguous(memory_format=torch.channels_last)


def slopes(x):
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def loss_of(x):
    with torch.autocast(args.device, dtype=torch.bfloat16):
        mean, logvar = vae.encode(x)
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        y = vae.decode(z)
    y, mean, logvar = y.float(), mean.float(), logvar.float()
    tx, ty = slopes(x)
    # Small features (eyes, mouths) are few pixels among flat colour: weigh where the picture changes.
    busy = F.max_pool2d(F.pad(tx.abs(), (0, 1)).amax(1, True) + F.pad(ty.abs(), (0, 0, 0, 1)).amax(1, True), 5, 1, 2)
    weight = 1 + 2 * busy.clamp(max=1)
    error = y - x
    pixel = (weight * (error.abs() + error * error)).mean()
    px, py = slopes(y)
    edge = (px - tx).abs().mean() + (py - ty).abs().mean()
    # Flat areas carry the colours; without this term the latents learn hues last.
    flat = F.avg_pool2d(error, 8)
    hue = flat.abs().mean() + 2 * flat.square().mean()
    kl = 0.5 * (mean * mean + logvar.exp() - 1 - logvar).mean()
    return pixel + edge + 3 * hue + 1e-4 * kl, error.abs().mean(), kl


run = torch.compile(loss_of, dynamic=False) if args.compile else loss_of
log, saved = Log(), time.time()
while step < args.steps:
    torch.manual_seed(args.seed * 1_000_003 + step)
    progress = step / args.steps
    for group in optimizer.param_groups:
        group["lr"] = args.lr * one_cycle(progress)
    x = augment(avatars.batch(torch.randint(0, len(avatars), (args.batch,)).numpy())).to(args.device)
    loss, l1, kl = run(x)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
    optimizer.step()
    step += 1
    decay = min(0.998, (1 + step) / (10 + step))
    with torch.no_grad():
        for key, value in vae.state_dict().items():
            ema[key].lerp_(value, 1 - decay)
    log.add(step, args.steps, args.batch, loss=loss.item(), l1=l1.item(), kl=kl.item())
    if time.time() - saved > 120 or step == args.steps:
        save(state_file, {"vae": vae.state_dict(), "ema": ema, "optimizer": optimizer.state_dict(), "step": step})
        saved = time.time()
