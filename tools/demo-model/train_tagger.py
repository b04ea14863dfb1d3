"""
Trains the demo tagger and writes it with the WD14 contract: input NHWC BGR 0…255 at 448 px, sigmoid inside,
`selected_tags.csv` beside it. Trained on pictures as drawn and as the autoencoder gives them back.
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from model.data import Avatars
from model.run import Training, load
from model.vae import Vae

args = argparse.ArgumentParser()
args.add_argument("work", type=Path)
args.add_argument("--out", type=Path, help="folder for model.onnx and selected_tags.csv")
args.add_argument("--steps", type=int, default=3000)
args.add_argument("--batch", type=int, default=48)
args.add_argument("--lr", type=float, default=2e-3)
args.add_argument("--seed", type=int, default=1)
args.add_argument("--threads", type=int, default=2)
args = args.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(args.seed)

SIZE, INPUT = 112, 448


class Unit(nn.Module):
    """Depthwise 5x5 between two pointwise convolutions, with a shortcut."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.Conv2d(channels, 3 * channels, 1),
            nn.ReLU(),
            nn.Conv2d(3 * channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x):
        return x + self.body(x)


def down(cin, cout):
    return nn.Sequential(nn.Conv2d(cin, cout, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU())


class Tagger(nn.Module):
    """Pictures in -1…1 at 112 px → logits."""

    def __init__(self, tags):
        super().__init__()
        self.body = nn.Sequential(down(3, 32), Unit(32), down(32, 64), Unit(64), Unit(64), down(64, 128), Unit(128), Unit(128), down(128, 192), Unit(192))
        # Faces are aligned, so where something is says what it is: the last map is not averaged away.
        self.head = nn.Sequential(nn.Conv2d(192, 48, 1), nn.ReLU(), nn.Flatten(), nn.Linear(48 * 49, tags))

    def forward(self, x):
        return self.head(self.body(x))


class Contract(nn.Module):
    """What the file computes: [N,448,448,3] BGR 0…255 → probabilities."""

    def __init__(self, tagger):
        super().__init__()
        self.tagger = tagger

    def forward(self, x):
        x = x.permute(0, 3, 1, 2).flip(1)
        return torch.sigmoid(self.tagger(F.avg_pool2d(x, INPUT // SIZE) / 127.5 - 1))


sets = [Avatars(args.work, "base"), Avatars(args.work, "wide")]
counts = Counter(tag for s in sets for r in s.records for tag in [r["style"], *r["tags"]])
names = [tag for tag, n in counts.most_common() if n >= 40]
index = {tag: i for i, tag in enumerate(names)}
print(f"{len(names)} tags, {len(counts) - len(names)} too rare")
model = Tagger(len(names)).to(memory_format=torch.channels_last)
optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.02)
training = Training(args, args.work / "tagger.pt", "model", model, optimizer, names=names)
vae = Vae().eval()
vae.load_state_dict(load(args.work / "vae-final.pt"))


def draw(count, held_out=False):
    """Pictures [N,3,112,112] and labels; the last 1000 of each set are for testing."""
    pictures, labels = [], torch.zeros(count, len(names))
    for i in range(count):
        s = sets[int(torch.rand(()) < 0.45)]
        k = len(s) - 1 - int(torch.randint(0, 1000, ())) if held_out else int(torch.randint(0, len(s) - 1000, ()))
        pictures.append(torch.from_numpy(s.pictures[k].copy()))
        for tag in [s.records[k]["style"], *s.records[k]["tags"]]:
            if tag in index:
                labels[i, index[tag]] = 1
    x = (torch.stack(pictures).float() / 127.5 - 1).permute(0, 3, 1, 2)
    return x, labels


def degrade(x):
    """Half of a batch as the autoencoder returns it; a little scale, shift, blur, noise and tint."""
    n = len(x) // 4
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        mean, _ = vae.encode(x[:n])
        x = torch.cat([vae.decode(mean).float().clamp(-1, 1), x[n:]])
    theta = torch.eye(2, 3).repeat(len(x), 1, 1)
    zoom = 1 + 0.12 * (torch.rand(len(x)) - 0.5)
    theta[:, 0, 0] = theta[:, 1, 1] = zoom
    theta[:, :, 2] = 0.08 * (torch.rand(len(x), 2) - 0.5)
    x = F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), padding_mode="border", align_corners=False)
    x = F.interpolate(x, size=SIZE, mode="bilinear", antialias=True)
    if torch.rand(()) < 0.3:
        x = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return x * (1 + 0.06 * torch.randn(len(x), 3, 1, 1)) + 0.04 * torch.randn(len(x), 3, 1, 1) + 0.03 * torch.randn_like(x)


@torch.no_grad()
def test():
    model.eval()
    torch.manual_seed(99)
    hits = asked = found = 0
    for _ in range(12):
        x, y = draw(64, held_out=True)
        p = torch.sigmoid(model(F.interpolate(x, size=SIZE, mode="bilinear", antialias=True))) > 0.5
        hits += (p & (y > 0)).sum().item()
        asked += (y > 0).sum().item()
        found += p.sum().item()
    model.train()
    return hits / asked, hits / max(found, 1)


for _ in training.steps():
    x, y = draw(args.batch)
    logits = model(degrade(x).contiguous(memory_format=torch.channels_last))
    loss = F.binary_cross_entropy_with_logits(logits, y) * 10
    training.learn(loss)
    if training.step % 500 == 0 or training.step == args.steps:
        recall, precision = test()
        print(f"held-out pictures: recall {recall:.4f}, precision {precision:.4f}", flush=True)

if args.out:
    args.out.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(Contract(model.eval()), torch.zeros(1, INPUT, INPUT, 3), str(args.out / "model.onnx"), input_names=["input"], output_names=["output"], dynamic_axes={"input": {0: "n"}, "output": {0: "n"}}, opset_version=17, dynamo=False)
    with (args.out / "selected_tags.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["tag_id", "name", "category", "count"])
        # WD14's file begins with ratings; 9 is their category, 0 that of general tags.
        for i, tag in enumerate(names):
            rows.writerow([i, tag.replace(" ", "_"), 0, counts[tag]])
    print((args.out / "model.onnx").stat().st_size / 2**20, "MiB")
