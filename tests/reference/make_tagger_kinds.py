"""Small ONNX taggers of the other contracts, and what they make of pictures by the steps of their own projects.

DeepDanbooru (TensorFlow's area resize, scikit-image's warp to the middle with repeated edges), CL tagger (white square,
Pillow's bicubic, −1…1, logits), ML-Danbooru (squashed by Pillow's bicubic, logits, list in JSON). Needs scikit-image 0.26.0
beside what make_tagger.py needs. Writes data/tagger-kinds/.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import skimage.transform
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from make_tagger import encoded, picture
from pillow_rows import resize_rows_first

OUT = Path(__file__).parent / "data" / "tagger-kinds"
SIZE = 48
PICTURES = [(90, 61, False), (48, 48, True), (61, 47, False), (33, 20, False), (71, 130, True), (3, 2, True), (1, 7, False)]

BOORU_TAGS = ["1girl", "solo", "long_hair", "^_^", "blue_eyes", "saber_(fate)", "smile", "hat", "rating:safe",
              "rating:questionable", "rating:explicit"]
CL_TAGS = [
    ("general", "Rating"), ("sensitive", "Rating"), ("1girl", "General"), ("solo", "General"), ("long_hair", "General"),
    ("hatsune_miku", "Character"), ("vocaloid", "Copyright"), ("best_quality", "Quality"), ("bad_quality", "Quality"),
    ("highres", "Meta"), ("some_model", "Model"), ("somebody", "Artist"),
]
ML_TAGS = ["1girl", "solo", "long_hair", "blue_eyes", "smile", "hat", "outdoors"]


def make_model(name: str, layout: str, sigmoid: bool, count: int, seed: int, gain: float) -> onnxruntime.InferenceSession:
    rng = np.random.default_rng(seed)
    weights = {
        "gain": np.float32(gain),
        "conv.weight": rng.normal(0, 0.3, (6, 3, 4, 4)).astype(np.float32),
        "conv.bias": rng.normal(0, 0.1, 6).astype(np.float32),
        "head.weight": rng.normal(0, 0.6, (54, count)).astype(np.float32),
        "head.bias": rng.normal(-0.2, 0.5, count).astype(np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["input", "gain"], ["scaled"]),
        *([helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2])] if layout == "NHWC" else []),
        helper.make_node("Conv", ["planes" if layout == "NHWC" else "scaled", "conv.weight", "conv.bias"], ["features"], strides=[4, 4]),
        helper.make_node("Relu", ["features"], ["positive"]),
        helper.make_node("AveragePool", ["positive"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "head.weight", "head.bias"], ["logits"]),
        *([helper.make_node("Sigmoid", ["logits"], ["probabilities"])] if sigmoid else []),
    ]
    shape = [1, SIZE, SIZE, 3] if layout == "NHWC" else [1, 3, SIZE, SIZE]
    output = "probabilities" if sigmoid else "logits"
    graph = helper.make_graph(
        nodes, "tagger", [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, count])],
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, OUT / name)
    return onnxruntime.InferenceSession(str(OUT / name), providers=["CPUExecutionProvider"])


def overlaps(source: int, target: int) -> np.ndarray:
    """[target, source]: how much of each source pixel lies in each target pixel; rows add up to 1."""
    edges = np.arange(target + 1) * (source / target)
    low, high = edges[:-1, None], edges[1:, None]
    pixels = np.arange(source)[None]
    shares = np.minimum(high, pixels + 1) - np.maximum(low, pixels)
    return shares.clip(0) * (target / source)


def deepdanbooru_input(rgba: np.ndarray) -> np.ndarray:
    """[1, size, size, 3] as deepdanbooru.data.load_image_for_evaluate makes it."""
    image = rgba[:, :, :3].astype(np.float64)
    height, width = image.shape[:2]
    scale = min(np.float32(SIZE) / np.float32(height), np.float32(SIZE) / np.float32(width))
    rows, columns = (max(1, int(np.round(scale * np.float32(side)))) for side in (height, width))
    image = np.einsum("ah,hwc,bw->abc", overlaps(height, rows), image, overlaps(width, columns))
    shift = skimage.transform.AffineTransform(translation=((SIZE - columns) * 0.5, (SIZE - rows) * 0.5))
    image = skimage.transform.warp(image, shift.inverse, output_shape=(SIZE, SIZE), order=1, mode="edge", preserve_range=True)
    return (image / 255).astype(np.float32)[None]


def cl_input(rgba: np.ndarray) -> np.ndarray:
    """[1, 3, size, size], blue first, −1…1."""
    image = Image.fromarray(rgba, "RGBA")
    flat = Image.new("RGB", image.size, (255, 255, 255))
    flat.paste(image, mask=image.getchannel("A"))
    side = max(flat.size)
    square = Image.new("RGB", (side, side), (255, 255, 255))
    square.paste(flat, ((side - flat.width) // 2, (side - flat.height) // 2))
    levels = np.asarray(square.resize((SIZE, SIZE), Image.Resampling.BICUBIC))[:, :, ::-1]
    return ((levels.astype(np.float32) / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None]


def ml_input(rgba: np.ndarray) -> np.ndarray:
    """[1, 3, size, size], red first, 0…1."""
    image = Image.fromarray(rgba, "RGBA")
    flat = Image.new("RGB", image.size, (255, 255, 255))
    flat.paste(image, mask=image.getchannel("A"))
    levels = np.asarray(flat.resize((SIZE, SIZE), Image.Resampling.BICUBIC))
    return (levels.astype(np.float32) / 255).transpose(2, 0, 1)[None]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def main() -> None:
    OUT.mkdir(exist_ok=True)
    resize_rows_first()
    kinds = {
        "deepdanbooru": (make_model("deepdanbooru.onnx", "NHWC", True, len(BOORU_TAGS), 31, 1.0), deepdanbooru_input, False),
        "cl": (make_model("cl.onnx", "NCHW", False, len(CL_TAGS), 32, 1.0), cl_input, True),
        "ml": (make_model("ml.onnx", "NCHW", False, len(ML_TAGS), 33, 1.0), ml_input, True),
    }
    (OUT / "tags.txt").write_text("\n".join(BOORU_TAGS) + "\n", encoding="utf-8")
    mapping = {str(i): {"tag": tag, "category": category} for i, (tag, category) in enumerate(CL_TAGS)}
    (OUT / "tag_mapping.json").write_text(json.dumps(mapping, indent=1) + "\n", encoding="utf-8")
    (OUT / "classes.json").write_text(json.dumps(ML_TAGS) + "\n", encoding="utf-8")
    cases = []
    for width, height, alpha in PICTURES:
        rgba = picture(width, height, alpha)
        case = {"width": width, "height": height, "rgba": encoded(rgba), "scores": {}}
        for kind, (session, prepare, is_logits) in kinds.items():
            (scores,) = session.run(None, {"input": prepare(rgba)})
            case["scores"][kind] = [float(score) for score in (sigmoid(scores[0]) if is_logits else scores[0])]
        cases.append(case)
    (OUT / "expected.json").write_text(json.dumps({"size": SIZE, "pictures": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
