"""Writes tests/unit/fixtures/formats.json: what numpy, torch, safetensors and diffusers say about rounding, file layout,
hashes and names.

Run with numpy, torch 2.13, safetensors 0.8 and diffusers 0.39: python tests/reference/make_format_fixtures.py
"""

import base64
import hashlib
import json
import pathlib

import numpy as np
import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from safetensors.torch import save

FIXTURES = pathlib.Path(__file__).parent.parent / "unit" / "fixtures"


def rounding_cases() -> dict:
    """f32 bit patterns around every rounding boundary, with their f16 (numpy) and bf16 (torch) bits."""
    rng = np.random.default_rng(1)
    halves = rng.integers(0, 0x7C00, 300).astype(np.uint16)
    lower = halves.view(np.float16).astype(np.float64)
    upper = (halves + 1).astype(np.uint16).view(np.float16).astype(np.float64)
    upper = np.where(np.isinf(upper), 65536.0, upper)
    middle = ((lower + upper) / 2).astype(np.float32)
    near = np.concatenate([middle, np.nextafter(middle, np.float32(0)), np.nextafter(middle, np.float32(1e9))])
    edges = np.array([0, 2**-24, 2**-25, 2**-26, 65504, 65519.99, 65520, 65536, 1e30, np.inf], dtype=np.float32)
    anything = rng.integers(0, 2**32, 300, dtype=np.uint32).view(np.float32)
    values = np.concatenate([near, -near, edges, -edges, anything[~np.isnan(anything)]]).astype(np.float32)
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    bfloat = torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    return {
        "f32": values.view(np.uint32).tolist(),
        "f16": half.view(np.uint16).tolist(),
        "bf16": bfloat.tolist(),
    }


def layout_case() -> str:
    """A file of the reference writer with mixed types, a scalar, an empty tensor and names outside ASCII."""
    tensors = {
        "b.half": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "a.float": torch.tensor([[0.25, 3.0]], dtype=torch.float32),
        "z.long": torch.tensor([7, -7], dtype=torch.int64),
        "scalar": torch.tensor(4.0, dtype=torch.float32),
        "empty": torch.zeros((0, 3), dtype=torch.float32),
        "c.bfloat": torch.tensor([1.0, 0.1, 3.0], dtype=torch.bfloat16),
        "模型.权重": torch.tensor([1, 2, 3], dtype=torch.uint8),
        "\uff41": torch.tensor([1.0]),
        "\U0001f600": torch.tensor([2.0]),
    }
    return base64.b64encode(save(tensors, {"note": 'quote " slash \\ newline \n 训练'})).decode()


def lora_tensors(dtype: torch.dtype, modules: int, rank: int, width: int) -> dict:
    """`value(i) = ((i * 37) % 1001 - 500) / 1024` in creation order of the elements, exact in every type but bf16."""
    tensors = {}
    for index in range(modules):
        name = f"lora_unet_module_{index}"
        for part, shape in (("down", (rank, width)), ("up", (width, rank))):
            count = rank * width
            start = (2 * index + (part == "up")) * count
            numbers = (torch.arange(start, start + count, dtype=torch.int64) * 37) % 1001 - 500
            tensors[f"{name}.lora_{part}.weight"] = (numbers.float() / 1024).reshape(shape).to(dtype)
        tensors[f"{name}.alpha"] = torch.tensor(rank / 2).to(dtype)
    return tensors


def addnet_hashes(tensors: dict, metadata: dict) -> dict:
    """The two hashes that sd-scripts stores: over the data section, and over 64 KiB from 1 MiB on."""
    kept = {k: v for k, v in metadata.items() if k.startswith("ss_")}
    data = save(tensors, kept)
    header = 8 + int.from_bytes(data[:8], "little")
    return {
        "sshs_model_hash": hashlib.sha256(data[header:]).hexdigest(),
        "sshs_legacy_hash": hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8],
    }


def hash_cases() -> list:
    metadata = {"ss_output_name": "测试", "ss_network_dim": "4", "modelspec.title": "not in the legacy hash"}
    cases = []
    for precision, dtype in (("float", torch.float32), ("fp16", torch.float16), ("bf16", torch.bfloat16)):
        for modules, rank, width in ((2, 4, 16), (12, 16, 2048)):
            tensors = lora_tensors(dtype, modules, rank, width)
            case = {"savePrecision": precision, "modules": modules, "rank": rank, "width": width}
            cases.append({**case, "metadata": metadata, **addnet_hashes(tensors, metadata)})
    return cases


def unet_names() -> dict:
    """LDM key -> diffusers key of every UNet weight of SD1, found by sending numbered tensors through the converter."""
    prefix = "model.diffusion_model."
    keys = json.loads((FIXTURES / "ldm-key-shapes.json").read_text())["sd1"]
    keys = [k for k in keys if k.startswith(prefix)]
    config = {"layers_per_block": 2, "class_embed_type": None, "addition_embed_type": None}
    converted = convert_ldm_unet_checkpoint({k: torch.tensor(i) for i, k in enumerate(keys)}, config)
    return {keys[int(i)]: name for name, i in converted.items()}


def python_text() -> dict:
    """What str() and json.dumps() give for numbers and texts that occur in metadata."""
    floats = [0.0, -0.0, 1.0, 16.0, 0.1, 1e-4, 5e-5, 1.5e-5, 2e-6, 1e-7, 123456.789, 1e15, 1e16, 1.25e22, -3e-5]
    floats += [1763819000.123456, 0.1 + 0.2, 5e-324, 1.7976931348623157e308]
    value = {"10_猫 \U0001f600": {"n_repeats": 10, "tags": ["a\"b\\", "\x7f\n\u2028"], "x": [0.5, None, True]}, "e": {}}
    return {"floats": [[x, str(x)] for x in floats], "json": [value, json.dumps(value)]}


if __name__ == "__main__":
    fixture = {
        "rounding": rounding_cases(),
        "layout": layout_case(),
        "hashes": hash_cases(),
        "unetNames": unet_names(),
        "python": python_text(),
    }
    (FIXTURES / "formats.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
