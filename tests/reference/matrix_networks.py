"""Adapter files that runs of the matrix start from: data/matrix-networks/<name>.safetensors, small and in half precision.

`start` is a LoRA of rank 2, less three of its modules; `ranks` a LoCon whose ranks differ from layer to layer; `loha` one of LyCORIS'.
"""

import re

import lycoris.kohya as lycoris
import torch
from safetensors.torch import save_file

from models import Models
from paths import DATA, seeded
from sd_scripts import SdScripts

OUT = DATA / "matrix-networks"
LEFT_OUT = ["lora_te_text_model_encoder_layers_0_mlp_fc1", "lora_unet_mid_block_attentions_0_proj_in", "attn1_to_v"]


def path_of(name: str) -> str:
    return str(OUT / name)


def make_networks(kohya: SdScripts, models: Models) -> None:
    OUT.mkdir(exist_ok=True)
    plain = kohya.lora.create_network(1.0, 2, 1.0, None, models.text, models.unet)
    layers = plain.text_encoder_loras + plain.unet_loras
    first_v = next(layer.lora_name for layer in layers if layer.lora_name.endswith(LEFT_OUT[2]))
    left_out = {*LEFT_OUT[:2], first_v}
    write("start", 1, [(layer.lora_name, 2, 1.0, factors(layer)) for layer in layers if layer.lora_name not in left_out])
    convolutions = kohya.lora.create_network(1.0, 1, 1.0, None, models.text, models.unet, conv_dim=1)
    chosen = [layer for layer in convolutions.unet_loras if re.search(r"down_blocks_[01]|mid_block", layer.lora_name)]
    ranks = [(layer.lora_name, 1 + i % 5, 0.5 + 0.5 * (i % 5), factors(layer)) for i, layer in enumerate(chosen)]
    write("ranks", 2, ranks)
    # Networks with convolutions change what the class trains from then on.
    kohya.lora.LoRANetwork.UNET_TARGET_REPLACE_MODULE[:] = ["Transformer2DModel"]
    lycoris.LycorisNetworkKohya.apply_preset(lycoris.PRESET["full"])
    loha = lycoris.create_network(1.0, 1, 1.0, None, models.text, models.unet, algo="loha", preset="attn-only")
    write("loha", 3, [(layer.lora_name, 1, 1.0, factors(layer)) for layer in loha.unet_loras])


def factors(layer) -> list[tuple[str, torch.Size]]:
    return [(key, factor.shape) for key, factor in layer.named_parameters() if key.startswith(("lora_", "hada_"))]


def write(name: str, seed: int, layers: list[tuple[str, int, float, list[tuple[str, torch.Size]]]]) -> None:
    """Modules of some rank and alpha with values of about a LoRA's size; their networks were made with other ranks."""
    generator, tensors = seeded(seed), {}
    for lora_name, rank, alpha, shapes in layers:
        tensors[f"{lora_name}.alpha"] = torch.tensor(alpha).half()
        for key, shape in shapes:
            if key == "lora_down.weight":
                shape = (rank, *shape[1:])
            if key == "lora_up.weight":
                shape = (shape[0], rank, *shape[2:])
            size = 0.05 if "up" in key or key.endswith("w2_a") else 0.2
            tensors[f"{lora_name}.{key}"] = (size * torch.randn(tuple(shape), generator=generator)).half()
    save_file(tensors, OUT / f"{name}.safetensors")
