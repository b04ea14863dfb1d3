"""How pictures are cropped by the webui's rules, for tests/unit/fixtures/crops.json.

Usage: make_crops.py, with numpy, OpenCV and Pillow. The rules are those of the webui's preprocessing: resizing, grey,
corners and dithering are done by the libraries that it uses; what it does between them is written here anew.
"""

import base64
import io
import json
import math
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

OUT = Path(__file__).parents[1] / "unit" / "fixtures" / "crops.json"


def picture(seed: int, size: tuple[int, int], busy: tuple[float, float]) -> Image.Image:
    """Shapes of all colours, most of them around one place, on a ground that changes slowly."""
    dice = np.random.default_rng(seed)
    width, height = size
    ys, xs = np.mgrid[0:height, 0:width]
    ground = 128 + 100 * np.sin((xs / width if width > height else ys / height) * 2.5 + seed)
    image = Image.fromarray(np.stack([ground, ground - 20, ground - 40], -1).clip(0, 255).astype(np.uint8) // 8 * 8)
    draw = ImageDraw.Draw(image)
    for _ in range(24):
        x = dice.normal(busy[0], 0.12) * width
        y = dice.normal(busy[1], 0.12) * height
        r = dice.uniform(0.03, 0.09) * min(size)
        turns = np.sort(dice.uniform(0, 2 * math.pi, 3))
        corners = [(x + r * math.cos(turn), y + r * math.sin(turn)) for turn in turns]
        draw.polygon(corners, fill=tuple(int(level) for level in dice.integers(0, 256, 3)))
    return image


def corners_of(image: Image.Image) -> np.ndarray:
    grey = image.convert("L")
    ImageDraw.Draw(grey).rectangle([0, grey.height * 0.9, grey.width, grey.height], fill=0x99)
    found = cv2.goodFeaturesToTrack(np.array(grey), 100, 0.04, min(grey.size) * 0.06, useHarrisDetector=False)
    return np.zeros((0, 2)) if found is None else found.reshape(-1, 2)


def unevenness(part: np.ndarray) -> float:
    counts = np.bincount(part.ravel().astype(int), minlength=2)
    shares = counts[counts > 0] / part.size
    return float(-np.log2(shares).sum())


def windows(image: Image.Image, target: tuple[int, int], anew: bool) -> list[float]:
    """How uneven each window is, every 4 pixels; `anew` dithers each for itself, as the webui does."""
    axis = 0 if image.width > image.height else 1
    whole = np.asarray(image.convert("1"))
    values = []
    for start in range(0, image.size[axis] - target[axis], 4):
        corner = (start, 0) if axis == 0 else (0, start)
        box = (*corner, corner[0] + target[0], corner[1] + target[1])
        part = np.asarray(image.crop(box).convert("1")) if anew else whole[box[1] : box[3], box[0] : box[2]]
        values.append(unevenness(part))
    return values


def focal_crop(image: Image.Image, target: tuple[int, int], weights: dict, faces: list) -> dict:
    """Where the crop begins, in pixels of the picture as it is when it just covers the target."""
    scale = max(target[0] / image.width, target[1] / image.height)
    size = (round(image.width * scale), round(image.height * scale))
    scaled = image.resize(size)
    points = []
    if weights["corners"] > 0 and len(corners := corners_of(scaled)) > 0:
        points.append((weights["corners"], *corners.mean(0)))
    values = []
    if weights["entropy"] > 0 and scaled.width != scaled.height:
        values = windows(scaled, target, True)
        first = 4 * int(np.argmax(values)) if values else 0
        start = (first, 0) if scaled.width > scaled.height else (0, first)
        points.append((weights["entropy"], start[0] + target[0] // 2, start[1] + target[1] // 2))
    if weights["face"] > 0 and faces:
        centres = np.array([(x + w * 0.5, y + h * 0.33) for x, y, w, h in faces]) * scale
        points.append((weights["face"], *centres.mean(0)))
    total = sum(point[0] for point in points)
    focus = [sum(point[0] * point[axis] for point in points) / total for axis in (1, 2)]
    start = [max(0, min(round(focus[axis]) - target[axis] // 2, size[axis] - target[axis])) for axis in (0, 1)]
    return {"scale": scale, "start": start, "windows": values}


def auto_size(size: tuple[int, int], rules: dict) -> dict | None:
    sides = range(rules["least"], rules["most"] + 1, 64)
    fitting = []
    for w in sides:
        for h in sides:
            off = size[0] / size[1] / (w / h)
            error = 1 - min(off, 1 / off)
            if rules["leastArea"] <= w * h <= rules["mostArea"] and error <= rules["threshold"]:
                fitting.append((w * h, -error, w, h) if rules["objective"] == "area" else (-error, w * h, w, h))
    if not fitting:
        return None
    best = max(fitting, key=lambda item: item[:2])
    w, h = best[2:]
    if size[1] / h < size[0] / w:
        kept = w * size[1] / h
        return {"size": [w, h], "box": [(size[0] - kept) / 2, 0, (size[0] + kept) / 2, size[1]]}
    kept = h * size[0] / w
    return {"size": [w, h], "box": [0, (size[1] - kept) / 2, size[0], (size[1] + kept) / 2]}


def split(size: tuple[int, int], target: tuple[int, int], threshold: float, overlap: float) -> dict:
    """Starts of the parts along the longer side, in pixels of the picture when its shorter side is the target's."""
    axis = 1 if size[1] > size[0] else 0
    scale = target[1 - axis] / size[1 - axis]
    long = size[axis] * target[1 - axis] // size[1 - axis]
    share = target[axis] / (size[axis] * scale)
    if share >= 1 or share > threshold:
        return {"scale": scale, "starts": []}
    count = max(2, math.ceil((long - target[axis] * overlap) / (target[axis] * (1 - overlap))))
    return {"scale": scale, "starts": [int((long - target[axis]) / (count - 1) * i) for i in range(count)]}


def encoded(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


USUAL = {"face": 0.9, "entropy": 0.15, "corners": 0.5}
SCENES = [
    ("wide, busy to the right", 1, (160, 96), (0.75, 0.4), (96, 96), []),
    ("tall, busy below", 2, (96, 176), (0.4, 0.65), (96, 96), []),
    ("reduced", 3, (400, 256), (0.3, 0.5), (96, 96), []),
    ("enlarged", 4, (100, 64), (0.35, 0.5), (96, 96), []),
    ("square to wide", 5, (128, 128), (0.5, 0.3), (128, 80), []),
    ("wide to tall", 6, (200, 120), (0.65, 0.5), (80, 120), []),
    ("wide with a face", 7, (240, 120), (0.8, 0.5), (120, 120), [(40, 30, 24, 30)]),
]
RULES = {"least": 384, "most": 768, "leastArea": 4096, "mostArea": 409600, "threshold": 0.1, "objective": "area"}


def main() -> None:
    scenes = []
    for name, seed, size, busy, target, faces in SCENES:
        image = picture(seed, size, busy)
        covers = size[0] == target[0] or size[1] == target[1]
        scenes.append({
            "name": name, "target": target, "faces": faces, "png": encoded(image),
            # What needs no resizing can be compared to the pixel.
            "corners": corners_of(image).tolist(),
            "windows": windows(image, target, False) if covers and size[0] != size[1] else [],
            "crops": [
                {"weights": weights, **focal_crop(image, target, weights, faces)}
                for weights in (USUAL, {"face": 0, "entropy": 0, "corners": 1})
            ],
        })
    sizes = [(1920, 1080), (1000, 1000), (700, 1024), (512, 768), (3000, 1000), (333, 500), (600, 800), (1234, 777)]
    changes = [{}, {"objective": "shape"}, {"mostArea": 768 * 768}, {"least": 256, "most": 1024, "threshold": 0.02}]
    auto = [{"size": size, "rules": rules, "expected": auto_size(size, rules)} for rules in ({**RULES, **c} for c in changes) for size in sizes]
    splits = [
        {"size": size, "target": target, "threshold": threshold, "overlap": overlap, **split(size, target, threshold, overlap)}
        for size in [(512, 2048), (3000, 700), (1000, 1500), (900, 1000), (640, 1280), (5000, 500)]
        for target in [(512, 512), (512, 768)]
        for threshold, overlap in [(0.5, 0.2), (1.0, 0.0), (0.7, 0.6)]
    ]
    OUT.write_text(json.dumps({"scenes": scenes, "autoSizes": auto, "splits": splits}, indent=0) + "\n")
    print(OUT.stat().st_size)


if __name__ == "__main__":
    main()
