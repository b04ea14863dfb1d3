"""Small ONNX taggers of the WD14 contract, and what OpenCV, Pillow and ONNX Runtime make of pictures with them.

Needs onnx 1.23.2, onnxruntime 1.32.0, opencv-python-headless 4.12.0.88 and Pillow beside numpy. Writes data/tagger/:
`model.onnx` + `selected_tags.csv` (64 pixels, batch of any size, as the v3 taggers), models that must be refused
(`nchw.onnx`, `logits.onnx`), and `expected.json`.
"""

import base64
import csv
import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

OUT = Path(__file__).parent / "data" / "tagger"
SIZE = 64
SEED = 20

LABELS = [
    (9999999, "general", 9), (9999998, "sensitive", 9), (9999997, "questionable", 9), (9999996, "explicit", 9),
    (470575, "1girl", 0), (212816, "solo", 0), (13197, "long_hair", 0), (8601, "breasts", 0), (469576, "looking_at_viewer", 0),
    (464549, "^_^", 0), (400314, "|_|", 0), (9294, "||_||", 0), (5032, "(o)_(o)", 0), (11906, "full_beard", 0),
    (412368, "scared_(,_,)", 0), (464906, 'say_"ah"', 0), (16613, "jewelry", 0), (1821, "2girls", 0),
    (1390, "hatsune_miku", 4), (1464, "saber_(fate)", 4), (1620, "artoria_pendragon_(fate)", 4),
]
CHARACTER, RATING = 4, 9
KAOMOJI = (
    "0_0 (o)_(o) +_+ +_- ._. <o>_<o> <|>_<|> =_= >_< 3_3 6_9 >_o @_@ ^_^ o_o u_u x_x |_| ||_||"
).split()


def random() -> np.random.Generator:
    return np.random.default_rng(SEED)


def make_model(name: str, layout: str = "NHWC", sigmoid: bool = True, batch: str | int = "batch_size") -> None:
    """Convolution, pooling, one matrix: enough for every pixel and channel to matter."""
    rng = random()
    weights = {
        "scale": np.float32(1 / 255),
        "conv.weight": rng.normal(0, 0.3, (8, 3, 4, 4)).astype(np.float32),
        "conv.bias": rng.normal(0, 0.1, 8).astype(np.float32),
        "head.weight": rng.normal(0, 0.5, (128, len(LABELS))).astype(np.float32),
        "head.bias": rng.normal(-0.3, 0.5, len(LABELS)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["input", "scale"], ["unit"]),
        helper.make_node("Transpose", ["unit"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes" if layout == "NHWC" else "unit", "conv.weight", "conv.bias"], ["features"], strides=[4, 4]),
        helper.make_node("Relu", ["features"], ["positive"]),
        helper.make_node("AveragePool", ["positive"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "head.weight", "head.bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
    ]
    if layout == "NCHW":
        nodes = [node for node in nodes if node.op_type != "Transpose"]
    if not sigmoid:
        nodes = nodes[:-1]
    shape = [batch, SIZE, SIZE, 3] if layout == "NHWC" else [batch, 3, SIZE, SIZE]
    output = "probabilities" if sigmoid else "logits"
    graph = helper.make_graph(
        nodes,
        "tagger",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [batch, len(LABELS)])],
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, OUT / name)


def write_labels() -> None:
    with (OUT / "selected_tags.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["tag_id", "name", "category", "count"])
        writer.writerows([*label, 1000 + i] for i, label in enumerate(LABELS))


def preprocess(rgba: np.ndarray, size: int) -> np.ndarray:
    """[height, width, 4] bytes → [size, size, 3] levels in the order blue, green, red."""
    picture = Image.fromarray(rgba, "RGBA")
    flat = Image.new("RGB", picture.size, (255, 255, 255))
    flat.paste(picture, mask=picture.getchannel("A"))
    bgr = np.ascontiguousarray(np.asarray(flat)[:, :, ::-1])
    height, width = bgr.shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = cv2.copyMakeBorder(
        bgr, top, side - height - top, left, side - width - left, cv2.BORDER_CONSTANT, value=(255, 255, 255)
    )
    if side >= size:
        return cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.LANCZOS))


def picture(width: int, height: int, alpha: bool) -> np.ndarray:
    """Waves with some noise: smooth enough to be a picture, rough enough to show a wrong kernel."""
    rng = np.random.default_rng(width * 1000 + height)
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 90 * np.sin(x / 7 + phase) * np.cos(y / (5 + phase)) for phase in range(3)]
    colour = np.stack(waves, axis=-1) + rng.integers(-30, 30, (height, width, 3))
    opacity = np.where((x + y) % 3 == 0, rng.integers(0, 256, (height, width)), 255) if alpha else np.full((height, width), 255)
    return np.concatenate([colour.clip(0, 255), opacity[..., None]], axis=-1).astype(np.uint8)


def encoded(data: np.ndarray) -> str:
    return base64.b64encode(data.astype(np.uint8).tobytes()).decode()


def picture_cases() -> list[dict]:
    session = onnxruntime.InferenceSession(str(OUT / "model.onnx"), providers=["CPUExecutionProvider"])
    cases = []
    for width, height, alpha in [(90, 61, False), (64, 64, True), (64, 47, False), (33, 20, False), (71, 130, True)]:
        rgba = picture(width, height, alpha)
        levels = preprocess(rgba, SIZE)
        (scores,) = session.run(None, {"input": levels[None].astype(np.float32)})
        cases.append({
            "width": width, "height": height, "rgba": encoded(rgba), "levels": encoded(levels),
            "scores": [float(score) for score in scores[0]],
        })
    return cases


def spaced(name: str) -> str:
    return name if name in KAOMOJI else name.replace("_", " ")


def caption_cases() -> list[dict]:
    """The two orders in use: that of the file, general before characters, and by confidence."""
    rng = np.random.default_rng(3)
    cases = []
    for general, character in [(0.35, 0.85), (0.1, 0.1), (0.6, 0.3), (0.99, 0.99)]:
        scores = rng.random(len(LABELS)).astype(np.float32)
        # A score that is the threshold itself counts.
        scores[6] = np.float32(general)
        kept = [
            (float(score), name)
            for score, (_, name, category) in zip(scores, LABELS)
            if category != RATING and score >= np.float32(character if category == CHARACTER else general)
        ]
        by_score = sorted(kept, key=lambda pair: -pair[0])
        cases.append({
            "general": general, "character": character, "scores": [float(score) for score in scores],
            "csv": [spaced(name) for _, name in kept],
            "score": [spaced(name) for _, name in by_score],
        })
    return cases


def main() -> None:
    OUT.mkdir(exist_ok=True)
    make_model("model.onnx")
    make_model("nchw.onnx", layout="NCHW")
    make_model("logits.onnx", sigmoid=False, batch=1)
    write_labels()
    expected = {"size": SIZE, "kaomoji": KAOMOJI, "pictures": picture_cases(), "captions": caption_cases()}
    (OUT / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
