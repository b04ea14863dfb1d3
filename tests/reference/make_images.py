"""Resized and decoded pictures from OpenCV and Pillow, for tests/unit/fixtures/images.json.

Needs opencv-python-headless 4.10.0.84 and Pillow 11.3.0 (sd-scripts' own versions), which ask for a numpy older than
the other reference programs do; hence an environment of its own.
"""

import base64
import io
import json
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms

OUT = Path(__file__).parents[1] / "unit" / "fixtures" / "images.json"
RANDOM = np.random.default_rng(11)


def encoded(data: bytes | np.ndarray) -> str:
    return base64.b64encode(data if isinstance(data, bytes) else data.tobytes()).decode()


def noise(width: int, height: int, channels: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (height, width, channels), dtype=np.uint8)


def resize_case(source: tuple[int, int], target: tuple[int, int]) -> dict:
    image = noise(*source, 3)
    if target[0] <= source[0] and target[1] <= source[1]:
        kernel, resized = "area", cv2.resize(image, target, interpolation=cv2.INTER_AREA)
    else:
        kernel, resized = "lanczos", np.asarray(Image.fromarray(image).resize(target, Image.Resampling.LANCZOS))
    return {"kernel": kernel, "from": source, "to": target, "source": encoded(image), "resized": encoded(resized)}


def swapped_profile() -> bytes:
    """An sRGB profile with red and blue exchanged: whoever applies it gets other colours."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"tXYZ").replace(b"bXYZ", b"rXYZ").replace(b"tXYZ", b"bXYZ")


def picture(name: str, image: Image.Image, **options) -> dict:
    buffer = io.BytesIO()
    image.save(buffer, **options)
    rgb = np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))
    return {"name": name, "size": list(image.size), "file": encoded(buffer.getvalue()), "rgb": encoded(rgb)}


def smooth(width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    channels = [127 + 120 * np.sin(x / 5), 127 + 120 * np.cos(y / 4), 4 * (x + y) % 256]
    return np.stack(channels, axis=-1).astype(np.uint8)


def pictures() -> list[dict]:
    rgb = Image.fromarray(smooth(23, 14))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "x" * 5000
    palette = rgb.quantize(16)
    palette.info["transparency"] = 3
    frames = [Image.fromarray(noise(9, 6, 3)) for _ in range(2)]
    cases = [
        picture("rgb.png", rgb, format="PNG"),
        picture("alpha.png", Image.fromarray(noise(11, 5, 4), "RGBA"), format="PNG"),
        picture("grey.png", Image.fromarray(noise(7, 9, 1)[..., 0], "L"), format="PNG"),
        picture("grey-alpha.png", Image.fromarray(noise(7, 9, 2), "LA"), format="PNG"),
        picture("palette.png", palette, format="PNG", transparency=3),
        picture("profile.png", rgb, format="PNG", icc_profile=swapped_profile()),
        picture("turned.jpg", rgb, format="JPEG", quality=95, exif=exif),
        picture("progressive.jpg", rgb, format="JPEG", quality=80, progressive=True, icc_profile=swapped_profile()),
        picture("grey.jpg", rgb.convert("L"), format="JPEG", quality=90),
        picture("lossy.webp", rgb, format="WEBP", quality=90),
        picture("lossless.webp", Image.fromarray(noise(11, 5, 3)), format="WEBP", lossless=True),
        picture("alpha.webp", Image.fromarray(noise(10, 8, 4), "RGBA"), format="WEBP", lossless=True, exact=True),
        picture("moving.webp", frames[0], format="WEBP", lossless=True, save_all=True, append_images=frames[1:]),
        picture("rgb.bmp", rgb, format="BMP"),
        picture("alpha.bmp", Image.fromarray(noise(5, 4, 4), "RGBA"), format="BMP"),
    ]
    return cases


def main() -> None:
    shapes = [
        ((37, 29), (19, 13)), ((40, 30), (20, 15)), ((42, 30), (14, 10)), ((32, 20), (32, 15)), ((45, 16), (44, 15)),
        ((41, 23), (8, 4)), ((17, 13), (29, 31)), ((30, 10), (20, 20)), ((12, 30), (24, 30)), ((60, 9), (13, 10)),
    ]
    resized = [resize_case(source, target) for source, target in shapes]
    OUT.write_text(json.dumps({"resized": resized, "pictures": pictures()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
