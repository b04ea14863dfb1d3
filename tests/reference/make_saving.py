"""Writes tests/unit/fixtures/saving.json: values that are hard to round, and the files that sd-scripts makes of them with
each `save_precision` (`save_weights` of networks/lora.py: the numbers as they are where it is None, else `.to(dtype)`);
and what is in the files that `torch.save` makes of a LoRA, and of an embedding as the webui keeps its own.

Run with torch 2.13 and safetensors 0.8: python tests/reference/make_saving.py
"""

import base64
import hashlib
import io
import json
import pathlib

import torch
from safetensors.torch import save

FIXTURE = pathlib.Path(__file__).parent.parent / "unit" / "fixtures" / "saving.json"
DTYPES = {"none": None, "float": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

# Bits of 32-bit floats, each for what happens to it.
HARD = {
    "smallest subnormals of 32 bits": [0x00000001, 0x80000001, 0x007FFFFF, 0x00000000, 0x80000000],
    "subnormal in 16 bits": [0x33800000, 0x33000000, 0x33000001, 0x32FFFFFF, 0x387FC000, 0x387FE000, 0x387FDFFF, 0x38800000],
    "ties of fp16": [0x3F801000, 0x3F803000, 0x3F801001, 0x3F800FFF, 0xBF803000, 0x38801000, 0x33C00000],
    "ties of bf16": [0x3F808000, 0x3F818000, 0x3F808001, 0x3F807FFF, 0xBF818000, 0x00008000, 0x00018000],
    "overflow of fp16": [0x477FE000, 0x477FEFFF, 0x477FF000, 0xC77FF000, 0x47800000, 0x7F000000],
    "overflow of bf16": [0x7F7F7FFF, 0x7F7F8000, 0xFF7FFFFF, 0x7F7FFFFF],
    "infinities": [0x7F800000, 0xFF800000],
}
NOT_NUMBERS = [0x7FC00000, 0xFFC00000, 0x7F800001, 0x7FFFFFFF]


def floats(bits: list[int]) -> torch.Tensor:
    return torch.frombuffer(bytearray(b"".join(b.to_bytes(4, "little") for b in bits)), dtype=torch.float32)


def described(tensor: torch.Tensor) -> list:
    types = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
    return [types[tensor.dtype], list(tensor.shape), list(tensor.stride())]


def reloaded(value: dict) -> dict:
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def pickles() -> dict:
    def ramp(*shape: int) -> torch.Tensor:
        count = torch.tensor(shape).prod().item()
        return (torch.arange(count, dtype=torch.float64) / 8 - 1.3).float().reshape(shape)

    def lora(dtype: torch.dtype) -> dict:
        state_dict = {}
        for name, alpha, taps in (("lora_unet_a", 0.5, ()), ("lora_unet_b", 2.0, (1, 1))):
            state_dict[f"{name}.alpha"] = torch.tensor(alpha)
            state_dict[f"{name}.lora_down.weight"] = ramp(2, 3, *taps)
            state_dict[f"{name}.lora_up.weight"] = ramp(4, 2, *taps)
        state_dict = reloaded({key: value.to(dtype) for key, value in state_dict.items()})
        return {
            key: [*described(value), base64.b64encode(bytes(value.reshape(-1).view(torch.uint8).tolist())).decode()]
            for key, value in state_dict.items()
        }

    word = reloaded(
        {
            "string_to_token": {"*": 265},
            "string_to_param": {"*": ramp(2, 4)},
            "name": "训练",
            "step": 70000,
            "sd_checkpoint": "81761151",
            "sd_checkpoint_name": "sd15",
        }
    )
    word["string_to_param"] = {"*": described(word["string_to_param"]["*"])}
    return {"lora": {name: lora(dtype) for name, dtype in DTYPES.items() if dtype is not None}, "word": word}


def main() -> None:
    hard = [b for group in HARD.values() for b in group]
    files = {}
    for name, dtype in DTYPES.items():
        state_dict = {
            "lora_unet_a.alpha": torch.tensor(0.3),
            "lora_unet_a.lora_down.weight": floats(hard).reshape(3, -1),
            "lora_unet_a.lora_up.weight": floats(hard).flip(0).reshape(-1, 3).contiguous(),
        }
        if dtype is not None:
            state_dict = {key: value.to(dtype) for key, value in state_dict.items()}
        data = save(state_dict, {"ss_output_name": "hard"})
        header = 8 + int.from_bytes(data[:8], "little")
        files[name] = {
            "dtype": str(state_dict["lora_unet_a.alpha"].dtype),
            "data": base64.b64encode(data[header:]).decode(),
            "sshs_model_hash": hashlib.sha256(data[header:]).hexdigest(),
            "stay_nan": [bool(v) for v in (floats(NOT_NUMBERS).to(dtype) if dtype else floats(NOT_NUMBERS)).isnan()],
        }
    FIXTURE.write_text(json.dumps({"hard": hard, "not_numbers": NOT_NUMBERS, "files": files, "pickles": pickles()}) + "\n")


if __name__ == "__main__":
    main()
