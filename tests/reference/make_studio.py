"""What the dataset studio is compared with, for tests/unit/fixtures/{likeness,caption-encodings}.json.

Usage: make_studio.py. Difference hashes by numpy in double precision from Pillow's grey, held against OpenCV's
INTER_AREA; captions encoded by Python's codecs.
"""

import base64
import io
import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

OUT = Path(__file__).parents[1] / "unit" / "fixtures"


def area_weights(length: int, count: int) -> np.ndarray:
    edges = np.linspace(0, length, count + 1)
    pixels = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.clip(overlap, 0, None) / (length / count)


def difference_hash(grey: np.ndarray) -> str:
    bits = (grey[:, :-1] < grey[:, 1:]).flatten()
    return f"{int(''.join('1' if bit else '0' for bit in bits), 2):016x}"


def over_white(image: Image.Image) -> Image.Image:
    rgba = np.asarray(image.convert("RGBA"), dtype=np.float64)
    alpha = rgba[..., 3:]
    return Image.fromarray(np.floor((rgba[..., :3] * alpha + 255 * (255 - alpha)) / 255 + 0.5).astype(np.uint8), "RGB")


def likeness(image: Image.Image) -> str:
    grey = over_white(image).convert("L")
    pixels = np.asarray(grey, dtype=np.float64)
    small = area_weights(pixels.shape[0], 8) @ pixels @ area_weights(pixels.shape[1], 9).T
    found = difference_hash(np.floor(small + 0.5))
    opencvs = difference_hash(cv2.resize(np.asarray(grey), (9, 8), interpolation=cv2.INTER_AREA))
    # OpenCV enlarges by another rule.
    is_smaller = pixels.shape[0] >= 8 and pixels.shape[1] >= 9
    assert not is_smaller or (int(found, 16) ^ int(opencvs, 16)).bit_count() <= 1, (found, opencvs)
    return found


def blobs(width: int, height: int, seed: int) -> np.ndarray:
    dice = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    picture = np.zeros((height, width, 3))
    for _ in range(12):
        cx, cy, radius = dice.uniform(0, width), dice.uniform(0, height), dice.uniform(0.1, 0.5) * min(width, height)
        picture += np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * radius**2))[..., None] * dice.uniform(0, 255, 3)
    return np.clip(picture / picture.max() * 255, 0, 255).astype(np.uint8)


def png(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def likenesses() -> list[dict]:
    pictures = {
        "blobs": Image.fromarray(blobs(90, 64, 1)),
        "odd sides": Image.fromarray(blobs(37, 23, 2)),
        "smaller than 9 by 8": Image.fromarray(blobs(5, 3, 3)),
        "tall": Image.fromarray(blobs(16, 90, 4)),
        "noise": Image.fromarray(np.random.default_rng(5).integers(0, 256, (40, 44, 3), dtype=np.uint8)),
        "flat": Image.new("RGB", (31, 17), (90, 120, 200)),
        "transparent": Image.fromarray(np.dstack([blobs(48, 40, 6), blobs(48, 40, 7)[..., 0]])),
    }
    rows = [{"name": name, "png": png(image), "likeness": likeness(image)} for name, image in pictures.items()]
    larger = Image.fromarray(blobs(90, 64, 1)).resize((60, 43), Image.Resampling.LANCZOS)
    rows.append({"name": "blobs, smaller", "png": png(larger), "likeness": likeness(larger)})
    return rows


CAPTIONS = {
    "chinese": "一个在铁匠铺里打铁的铁匠，站着，围裙，微笑，黑色手套",
    "short chinese": "女孩，长发",
    "mixed chinese": "1girl, solo, 银色头发, 蓝眼睛, looking at viewer",
    "traditional": "一個在鐵匠鋪裡打鐵的鐵匠，圍裙，黑色手套，廚房",
    "japanese": "鍛冶屋で鉄を打つ男、エプロン、黒い手袋、笑顔",
    "kana": "かわいい女の子、ロングヘア",
    "western": "a café with a naïve girl, 1girl",
    "tags": "1girl, solo, long hair",
}
ENCODINGS = [
    ("chinese", "gb18030"), ("short chinese", "gb18030"), ("mixed chinese", "gb18030"), ("traditional", "big5"),
    ("japanese", "shift_jis"), ("kana", "shift_jis"), ("western", "windows-1252"),
    *((name, encoding) for name in CAPTIONS for encoding in ("utf-8", "utf-8-sig", "utf-16")),
    ("mixed chinese", "utf-16-le"), ("mixed chinese", "utf-16-be"), ("tags", "utf-16-le"),
]


def main() -> None:
    (OUT / "likeness.json").write_text(json.dumps(likenesses(), indent=1) + "\n")
    rows = [
        {"name": name, "encoding": encoding, "text": CAPTIONS[name], "bytes": base64.b64encode(CAPTIONS[name].encode(encoding)).decode()}
        for name, encoding in ENCODINGS
    ]
    (OUT / "caption-encodings.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
