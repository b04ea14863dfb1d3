"""Trains UNet and text encoder on the encoded pictures. Resumable: run it again with the same folder. See README.md."""

import argparse
from pathlib import Path

import torch

from model.data import Avatars
from model.run import Training, load
from model.schedule import add_noise, face_weight, loss_weight
from model.text import build_text_encoder, caption_ids, encode, init_tokens
from model.unet import UNet

args = argparse.ArgumentParser()
args.add_argument("work", type=Path)
args.add_argument("--steps", type=int, default=6000)
args.add_argument("--batch", type=int, default=64)
args.add_argument("--lr", type=float, default=8e-4)
args.add_argument("--seed", type=int, default=1)
args.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
args.add_argument("--state", default="unet.pt")
args.add_argument("--minutes", type=float, help="stop after so long; run again to go on")
args = args.parse_args()

records = Avatars(args.work, "base").records
latents = load(args.work / "latents.pt")
torch.manual_seed(args.seed)
unet = UNet().to(args.device, memory_format=torch.channels_last)
text = build_text_encoder()
init_tokens(text)
text.to(args.device)
modules = torch.nn.ModuleDict({"unet": unet, "text": text})
table = text.text_model.embeddings.token_embedding.weight
others = [p for p in modules.parameters() if p is not table]
# Weight decay would shrink the rows of words that never occur.
optimizer = torch.optim.AdamW(
    [{"params": others, "weight_decay": 0.01}, {"params": [table], "weight_decay": 0.0}], lr=args.lr, betas=(0.9, 0.99)
)
training = Training(args, args.work / args.state, "modules", modules, optimizer, decay=0.9995, clip=1.0)
face = face_weight().to(args.device)


def caption(record):
    """As people prompt: the style nearly always, attributes in any order, some left out; a tenth have nothing."""
    if torch.rand(()) < 0.1:
        return []
    keep = 1.0 if torch.rand(()) < 0.5 else 0.6 + 0.4 * float(torch.rand(()))
    tags = [tag for tag in record["tags"] if torch.rand(()) < keep]
    if torch.rand(()) < 0.7:
        tags = [tags[i] for i in torch.randperm(len(tags))]
    return ([record["style"]] if torch.rand(()) < 0.95 else []) + tags


for _ in training.steps(args.minutes):
    picked = torch.randint(0, len(records), (args.batch,))
    ids = torch.tensor([caption_ids(caption(records[i])) for i in picked.tolist()]).to(args.device)
    mean, std = latents["mean"][picked].float(), latents["std"][picked].float()
    x0 = (mean + std * torch.randn_like(mean)).to(args.device)
    t = torch.randint(0, 1000, (args.batch,))
    noise = torch.randn(x0.shape).to(args.device)
    x = add_noise(x0, noise, t).contiguous(memory_format=torch.channels_last)
    with torch.autocast(args.device, dtype=torch.bfloat16):
        eps = unet(x, t.to(args.device), encode(text, ids))
    error = (eps.float() - noise).square()
    loss = ((error * face).mean((1, 2, 3)) * loss_weight(t).to(args.device)).mean()
    training.learn(loss, eps=error.mean().item())
