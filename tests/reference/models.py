"""The two mini model families: their shapes, their PyTorch modules, and strict loading from an LDM checkpoint.

Small, but with every structural feature of the real thing: levels of unequal width, a last level without transformers,
skips wider than their block, both projection kinds, both head rules, both text-encoder layouts, a text layer that must
not be used.
"""

from dataclasses import dataclass

import diffusers
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTextModel

from ldm_names import from_ldm

torch.set_num_threads(2)
diffusers.utils.logging.set_verbosity_error()

VAE_SCALE = 0.18215


@dataclass(frozen=True)
class Family:
    """Everything that tells one mini family from the other. `attention[l]`: does level l have transformers."""

    name: str
    channels: tuple[int, ...]
    attention: tuple[bool, ...]
    linear_projection: bool
    text_layers_used: int
    text_layers_in_file: int
    text_activation: str
    vae_channels: tuple[int, ...]
    vocabulary: int = 512
    context: int = 64
    text_mlp: int = 128

    @property
    def heads(self) -> tuple[int, ...]:
        """SD1 always has 8 heads; SD2 has heads of 64."""
        return tuple(c // 64 if self.linear_projection else 8 for c in self.channels)


SD1 = Family("sd1", (32, 64, 32), (True, True, False), False, 2, 2, "quick_gelu", (32, 64, 32, 32))
SD2 = Family("sd2", (64, 128), (True, False), True, 2, 3, "gelu", (32, 32, 32, 32))
FAMILIES = {f.name: f for f in (SD1, SD2)}


def build_unet(f: Family) -> UNet2DConditionModel:
    down = tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in f.attention)
    up = tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(f.attention))
    return UNet2DConditionModel(
        sample_size=16,
        down_block_types=down,
        up_block_types=up,
        block_out_channels=f.channels,
        layers_per_block=1,
        cross_attention_dim=f.context,
        # diffusers' historical name: these are numbers of heads.
        attention_head_dim=f.heads,
        use_linear_projection=f.linear_projection,
    )


def build_text(f: Family, layers: int | None = None) -> CLIPTextModel:
    config = CLIPTextConfig(
        vocab_size=f.vocabulary,
        hidden_size=f.context,
        intermediate_size=f.text_mlp,
        num_hidden_layers=f.text_layers_used if layers is None else layers,
        num_attention_heads=f.context // 64,
        max_position_embeddings=77,
        hidden_act=f.text_activation,
        attn_implementation="sdpa",
    )
    return CLIPTextModel(config)


def build_vae(f: Family) -> AutoencoderKL:
    n = len(f.vae_channels)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * n,
        up_block_types=("UpDecoderBlock2D",) * n,
        block_out_channels=f.vae_channels,
        layers_per_block=1,
        sample_size=64,
    )


@dataclass
class Models:
    family: Family
    unet: UNet2DConditionModel
    text: CLIPTextModel
    vae: AutoencoderKL

    def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
        """[B,77] ids -> [B,77,C]: last hidden state after the final norm (SD2 never builds the unused last layer)."""
        return self.text(input_ids=ids.long()).last_hidden_state

    def predict(self, x: torch.Tensor, timesteps: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        return self.unet(x, timesteps.long(), encoder_hidden_states=context).sample


def load_models(f: Family, path: str, dtype: torch.dtype = torch.float32) -> Models:
    """Reads a single-file checkpoint into frozen modules; a missing or unexpected key is an error."""
    unet_state, text_state, vae_state = from_ldm(load_file(path), f)
    models = Models(f, build_unet(f), build_text(f), build_vae(f))
    for module, state in ((models.unet, unet_state), (models.text, text_state), (models.vae, vae_state)):
        module.load_state_dict(state, strict=True)
        module.to(dtype)
        module.requires_grad_(False)
        module.eval()
    return models
