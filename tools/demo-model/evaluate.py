"""
Draws prompts at random from the caption grammar and looks at the result: a sheet of pictures, and the share of asked
attributes that the tagger (trained on drawn pictures) finds in the samples. For comparison it also looks at the program's
own drawings of the same captions.

    node pictures/generate.mjs unseen base 256 99
    python evaluate.py <work> --captions unseen --count 32 --sheet sheet.png --tagger ../../public/demo/tagger
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image

from model.data import Avatars
from model.run import load
from model.schedule import ddim
from model.text import build_text_encoder, caption_ids, encode
from model.unet import UNet
from model.vae import Vae

args = argparse.ArgumentParser()
args.add_argument("work", type=Path)
args.add_argument("--captions", type=Path, required=True, help="a folder of pictures that no training saw")
args.add_argument("--count", type=int, default=32)
args.add_argument("--seed", type=int, default=5)
args.add_argument("--steps", type=int, default=20)
args.add_argument("--cfg", type=float, default=4.0)
args.add_argument("--sheet", type=Path)
args.add_argument("--tagger", type=Path, help="folder of model.onnx and selected_tags.csv")
args.add_argument("--threshold", type=float, default=0.5)
args.add_argument("--state", default="unet.pt")
args = args.parse_args()

torch.manual_seed(args.seed)
avatars = Avatars(args.captions, "base")
state = load(args.work / args.state)
unet, text, vae = UNet().eval(), build_text_encoder().eval(), Vae().eval()
modules = torch.nn.ModuleDict({"unet": unet, "text": text})
modules.load_state_dict(state["ema"])
vae.load_state_dict(load(args.work / "vae-final.pt"))
if decoder := load(args.work / "decoder.pt"):
    vae.load_state_dict({**vae.state_dict(), **decoder["ema"]})

captions = [[r["style"], *r["tags"]] for r in avatars.records[: args.count]]
with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
    context = encode(text, torch.tensor([caption_ids(c) for c in captions])).float()
    empty = encode(text, torch.tensor([caption_ids([])])).float()


def predict(x, t, c):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return unet(x.contiguous(memory_format=torch.channels_last), t, c)


z = ddim(predict, context, empty, torch.randn(args.count, 4, 16, 16), args.steps, args.cfg)
with torch.no_grad():
    pictures = ((vae.decode(z / 0.18215).clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
print(f"UNet step {state['step']}, DDIM {args.steps}, CFG {args.cfg}, seed {args.seed}")
if args.sheet:
    columns = 8
    rows = [np.concatenate(list(pictures[i : i + columns]), 1) for i in range(0, args.count, columns)]
    Image.fromarray(np.concatenate(rows)).save(args.sheet)
if args.tagger:
    names = [line.split(",")[1].replace("_", " ") for line in (args.tagger / "selected_tags.csv").read_text("utf-8").splitlines()[1:]]
    session = onnxruntime.InferenceSession(str(args.tagger / "model.onnx"))


    def look(what, pictures):
        """Prints how many of the asked tags the tagger finds in the pictures, and those that it misses most."""
        found = asked = styles = 0
        missed = {}
        for picture, caption in zip(pictures, captions):
            big = np.asarray(Image.fromarray(picture).resize((448, 448), Image.BICUBIC), np.float32)[None, :, :, ::-1]
            scores = dict(zip(names, session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(big)})[0][0]))
            styles += scores[caption[0]] > args.threshold
            for tag in caption[1:]:
                if tag in scores:
                    asked += 1
                    found += scores[tag] > args.threshold
                    if scores[tag] <= args.threshold:
                        missed[tag] = missed.get(tag, 0) + 1
        print(f"{what}: style found in {styles} of {args.count}; attributes found: {found} of {asked} = {found / asked:.3f}")
        print("  missed most:", json.dumps(dict(sorted(missed.items(), key=lambda item: -item[1])[:20])))

    look("samples", pictures)
    look("drawings", np.asarray(avatars.pictures[: args.count]))
