"""Writes to tests/unit/fixtures/torch: embeddings.json, and modern.pt, modern-legacy.pt and modern.json, which hold what
current PyTorch and pickles of a newer protocol do that the other files there do not.

Run with torch 2.13: python tests/reference/make_torch_files.py
"""

import collections
import json
import pathlib

import torch

FOLDER = pathlib.Path(__file__).parent.parent / "unit" / "fixtures" / "torch"


def values_of(tensor: torch.Tensor) -> list:
    """As numbers, or as bytes for the type that is not converted when it is read."""
    if tensor.dtype == torch.float8_e4m3fn:
        return tensor.view(torch.uint8).tolist()
    return tensor.detach().to(torch.float64).flatten().tolist()


def main() -> None:
    torch.manual_seed(5)
    table = torch.arange(24.0).reshape(2, 3, 4)
    weights = collections.OrderedDict(
        {
            "conv.weight": torch.randn(4, 3, 3, 2).to(memory_format=torch.channels_last),
            "half.transposed": torch.randn(5, 4).half().T,
            "double.transposed": torch.randn(2, 3, dtype=torch.float64).T,
            "bytes.transposed": torch.arange(6, dtype=torch.uint8).reshape(2, 3).T,
            "expanded": torch.tensor([1.0, 2.0]).expand(3, 2),
            "permuted": table.permute(2, 0, 1),
            "middle": table[:, 1:, ::2],
            "shared": table,
            "empty": torch.zeros(0, 3),
            "fp8": torch.tensor([1.0, -2.0]).to(torch.float8_e4m3fn),
            "u16": torch.tensor([1, 65535], dtype=torch.uint16),
            "parameter": torch.nn.Parameter(torch.tensor([7.0])),
        }
    )
    layers = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    for name, tensor in layers.state_dict().items():
        weights[f"layers.{name}"] = tensor
    # A state dict with its notes, as `module.state_dict()` gives it.
    weights._metadata = layers.state_dict()._metadata
    content = {"model": {"state_dict": weights}, "args": {"lr": 1e-4, "tags": {"a"}}, "epoch": 12, "note": "训练"}
    torch.save(content, FOLDER / "modern.pt", pickle_protocol=4)
    torch.save(content, FOLDER / "modern-legacy.pt", pickle_protocol=4, _use_new_zipfile_serialization=False)
    expected = {name: {"shape": list(tensor.shape), "values": values_of(tensor)} for name, tensor in weights.items()}
    (FOLDER / "modern.json").write_text(json.dumps(expected) + "\n")
    write_embeddings()


def write_embeddings() -> None:
    """What PyTorch reads from the embeddings that are there already."""
    vectors = {}
    for name in ("embedding-a1111.pt", "embedding-parameterdict.pt", "embedding-diffusers.bin"):
        content = torch.load(FOLDER / name, weights_only=False)
        terms = dict(content.get("string_to_param", content).items())
        (term,) = terms.values()
        vectors[name] = torch.atleast_2d(term.detach().float()).tolist()
    (FOLDER / "embeddings.json").write_text(json.dumps(vectors) + "\n")


if __name__ == "__main__":
    main()
