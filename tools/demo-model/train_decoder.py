"""
Goes on with the decoder alone, once `vae-final.pt` has fixed the latents: the UNet can be trained meanwhile.
Resumable; `export.py` and `evaluate.py` take `decoder.pt` where it is there.
"""

import argparse
import time
from pathlib import Path

import torch

from model.data import Avatars
from model.pictures import picture_loss
from model.run import Log, load, one_cycle, save
from model.vae import Vae

args = argparse.ArgumentParser()
args.add_argument("work", type=Path)
args.add_argument("--steps", type=int, default=6000)
args.add_argument("--batch", type=int, default=8)
args.add_argument("--lr", type=float, default=6e-4)
args.add_argument("--seed", type=int, default=2)
args.add_argument("--threads", type=int, default=2)
args.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
args = args.parse_args()
torch.set_num_threads(args.threads)

avatars = Avatars(args.work, "base")
latents = load(args.work / "latents.pt")
vae = Vae().to(args.device, memory_format=torch.channels_last)
vae.load_state_dict(load(args.work / "vae-final.pt"))
parts = torch.nn.ModuleDict({"decoder": vae.decoder, "post_quant_conv": vae.post_quant_conv})
optimizer = torch.optim.AdamW(parts.parameters(), lr=args.lr, betas=(0.9, 0.99), weight_decay=1e-4)
ema = {key: value.clone() for key, value in parts.state_dict().items()}
state_file, step = args.work / "decoder.pt", 0
if state := load(state_file):
    parts.load_state_dict(state["parts"])
    optimizer.load_state_dict(state["optimizer"])
    ema, step = state["ema"], state["step"]

log, saved = Log(), time.time()
while step < args.steps:
    torch.manual_seed(args.seed * 1_000_003 + step)
    for group in optimizer.param_groups:
        group["lr"] = args.lr * one_cycle(step / args.steps)
    picked = torch.randint(0, len(avatars), (args.batch,)).sort().values
    x = avatars.batch(picked.numpy()).to(args.device)
    mean = latents["mean"][picked].float()
    # A diffusion model's latents are not quite an encoder's.
    z = ((mean + 0.03 * torch.randn_like(mean)) / 0.18215).to(args.device, memory_format=torch.channels_last)
    with torch.autocast(args.device, dtype=torch.bfloat16):
        y = vae.decode(z)
    loss, l1 = picture_loss(y.float(), x)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
    optimizer.step()
    step += 1
    decay = min(0.999, (1 + step) / (10 + step))
    with torch.no_grad():
        for key, value in parts.state_dict().items():
            ema[key].lerp_(value, 1 - decay)
    log.add(step, args.steps, args.batch, loss=loss.item(), l1=l1.item())
    if time.time() - saved > 180 or step == args.steps:
        save(state_file, {"parts": parts.state_dict(), "ema": ema, "optimizer": optimizer.state_dict(), "step": step})
        saved = time.time()
