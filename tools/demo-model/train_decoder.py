"""
Goes on with the decoder alone, once `vae-final.pt` has fixed the latents: the UNet can be trained meanwhile.
Resumable; `export.py` and `evaluate.py` take `decoder.pt` where it is there.
"""

import argparse
from pathlib import Path

import torch

from model.data import Avatars
from model.pictures import picture_loss
from model.run import Training, load
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
training = Training(args, args.work / "decoder.pt", "parts", parts, optimizer, decay=0.999, clip=1.0)

for _ in training.steps():
    picked = torch.randint(0, len(avatars), (args.batch,)).sort().values
    x = avatars.batch(picked.numpy()).to(args.device)
    mean = latents["mean"][picked].float()
    # A diffusion model's latents are not quite an encoder's.
    z = ((mean + 0.03 * torch.randn_like(mean)) / 0.18215).to(args.device, memory_format=torch.channels_last)
    with torch.autocast(args.device, dtype=torch.bfloat16):
        y = vae.decode(z)
    loss, l1 = picture_loss(y.float(), x)
    training.learn(loss, l1=l1.item())
