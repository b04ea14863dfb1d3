"""Pictures resized by each kernel that resize_interpolation can name, for tests/unit/fixtures/resizes.json.

Usage: make_resizes.py PATH_TO_SD_SCRIPTS, with OpenCV and Pillow. sd-scripts' own resize_image chooses between the two.
Made with sd-scripts 48d368f.
"""

import ast
import base64
import json
import logging
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

OUT = Path(__file__).parents[1] / "unit" / "fixtures" / "resizes.json"
SHAPES = [((37, 29), (19, 13)), ((40, 30), (20, 15)), ((17, 13), (29, 31)), ((30, 10), (20, 20)), ((24, 24), (24, 31))]
KERNELS = ["lanczos", "nearest", "bilinear", "linear", "bicubic", "cubic", "area", "box"]


def masked_cases(resize_image, dice: np.random.Generator) -> list[dict]:
    """With alpha_mask: colours, and alpha at a latent's size as apply_masked_loss brings it there."""
    cases = []
    for source, target, kernel in [
        ((40, 60), (32, 48), None), ((20, 12), (40, 24), None), ((24, 16), (24, 16), None), ((20, 12), (40, 24), "bilinear"),
    ]:
        image = dice.integers(0, 256, (source[1], source[0], 4), dtype=np.uint8)
        image[: source[1] // 3, :, 3] = 0
        image[-source[1] // 3 :, :, 3] = 255
        bgra = resize_image(image, *source, *target, kernel) if source != target else image
        alpha = torch.from_numpy(bgra[..., 3].astype(np.float32) / 255)[None, None]
        mask = torch.nn.functional.interpolate(alpha, size=(target[1] // 8, target[0] // 8), mode="area")
        rgba = np.ascontiguousarray(image[..., [2, 1, 0, 3]])
        cases.append({
            "from": source, "to": target, "kernel": kernel, "source": base64.b64encode(rgba.tobytes()).decode(),
            "rgb": base64.b64encode(np.ascontiguousarray(bgra[..., [2, 1, 0]]).tobytes()).decode(), "mask": mask.flatten().tolist(),
        })
    return cases


def main() -> None:
    file = Path(sys.argv[1]) / "library" / "utils.py"
    names = {"pil_resize", "resize_image", "get_cv2_interpolation", "get_pil_interpolation"}
    nodes = [item for item in ast.parse(file.read_text(encoding="utf-8")).body if getattr(item, "name", None) in names]
    scope = {"cv2": cv2, "np": np, "Image": Image, "logger": logging.getLogger()}
    exec("from typing import *", scope)
    exec(compile(ast.Module(nodes, []), str(file), "exec"), scope)
    dice = np.random.default_rng(3)
    cases = []
    for source, target in SHAPES:
        image = dice.integers(0, 256, (source[1], source[0], 3), dtype=np.uint8)
        resized = {kernel: scope["resize_image"](image, *source, *target, kernel) for kernel in KERNELS}
        encoded = {kernel: base64.b64encode(np.ascontiguousarray(data).tobytes()).decode() for kernel, data in resized.items()}
        cases.append({"from": source, "to": target, "source": base64.b64encode(image.tobytes()).decode(), "resized": encoded})
    OUT.write_text(json.dumps({"resized": cases, "masked": masked_cases(scope["resize_image"], dice)}, indent=0) + "\n")


if __name__ == "__main__":
    main()
