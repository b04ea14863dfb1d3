"""Names of one tensor in a diffusers module and in a single-file (LDM) checkpoint, in both directions.

Written from the architecture, not from a converter; `verify_names.py` holds it against diffusers' own converters.
"""

import re

import torch

UNET = "model.diffusion_model."
VAE = "first_stage_model."
TEXT_HF = "cond_stage_model.transformer."
TEXT_OPEN = "cond_stage_model.model."

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}

UNET_FIXED = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
}


def unet_ldm_name(key: str, attention: tuple[bool, ...], blocks: int = 1) -> str:
    """diffusers UNet key -> LDM key without the prefix, for `blocks` residual blocks per level."""
    levels = len(attention)
    for ours, theirs in UNET_FIXED.items():
        if key.startswith(ours + "."):
            return theirs + key[len(ours) :]
    if m := re.match(r"down_blocks\.(\d+)\.(resnets|attentions|downsamplers)\.(\d+)\.(.*)", key):
        level, kind, j, rest = int(m[1]), m[2], int(m[3]), m[4]
        if kind == "downsamplers":
            return f"input_blocks.{(level + 1) * (blocks + 1)}.0.op{rest.removeprefix('conv')}"
        where = f"input_blocks.{1 + level * (blocks + 1) + j}"
    elif m := re.match(r"up_blocks\.(\d+)\.(resnets|attentions|upsamplers)\.(\d+)\.(.*)", key):
        step, kind, j, rest = int(m[1]), m[2], int(m[3]), m[4]
        if kind == "upsamplers":
            slot = 2 if attention[levels - 1 - step] else 1
            return f"output_blocks.{step * (blocks + 1) + blocks}.{slot}.{rest}"
        where = f"output_blocks.{step * (blocks + 1) + j}"
    elif m := re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.(.*)", key):
        kind, j, rest = m[1], int(m[2]), m[3]
        if kind == "attentions":
            return f"middle_block.1.{rest}"
        return f"middle_block.{2 * j}.{resnet_name(rest)}"
    else:
        raise KeyError(key)
    return f"{where}.0.{resnet_name(rest)}" if kind == "resnets" else f"{where}.1.{rest}"


def resnet_name(rest: str) -> str:
    part, _, tail = rest.partition(".")
    return f"{RESNET[part]}.{tail}"


VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def vae_ldm_name(key: str, levels: int) -> str:
    """diffusers VAE key -> LDM key without the prefix. Decoder levels count from the other end."""
    key = key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    key = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", key)
    key = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample.", key)
    key = re.sub(r"up_blocks\.(\d+)\.resnets\.", lambda m: f"up.{levels - 1 - int(m[1])}.block.", key)
    key = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0\.", lambda m: f"up.{levels - 1 - int(m[1])}.upsample.", key)
    key = re.sub(r"mid_block\.resnets\.(\d)\.", lambda m: f"mid.block_{int(m[1]) + 1}.", key)
    if m := re.match(r"(.*)mid_block\.attentions\.0\.(.*)\.(weight|bias)$", key):
        key = f"{m[1]}mid.attn_1.{VAE_ATTENTION[m[2]]}.{m[3]}"
    return key


OPEN_LAYER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
OPEN_FIXED = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.weight": "ln_final.weight",
    "text_model.final_layer_norm.bias": "ln_final.bias",
}


def text_to_openclip(state: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """HF CLIP text state -> OpenCLIP names, q/k/v stacked row-wise in this order."""
    out = {theirs: state[ours] for ours, theirs in OPEN_FIXED.items()}
    for i in range(layers):
        src, dst = f"text_model.encoder.layers.{i}.", f"transformer.resblocks.{i}."
        for kind in ("weight", "bias"):
            qkv = [state[f"{src}self_attn.{p}_proj.{kind}"] for p in "qkv"]
            out[f"{dst}attn.in_proj_{kind}"] = torch.cat(qkv)
            for ours, theirs in OPEN_LAYER.items():
                out[f"{dst}{theirs}.{kind}"] = state[f"{src}{ours}.{kind}"]
    return out


def text_from_openclip(state: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """The first `layers` layers of an OpenCLIP text tower in HF names; later layers and the projection are unused."""
    out = {ours: state[theirs] for ours, theirs in OPEN_FIXED.items()}
    for i in range(layers):
        src, dst = f"transformer.resblocks.{i}.", f"text_model.encoder.layers.{i}."
        for kind in ("weight", "bias"):
            for p, part in zip("qkv", state[f"{src}attn.in_proj_{kind}"].chunk(3)):
                out[f"{dst}self_attn.{p}_proj.{kind}"] = part
            for ours, theirs in OPEN_LAYER.items():
                out[f"{dst}{ours}.{kind}"] = state[f"{src}{theirs}.{kind}"]
    return out


def to_ldm(unet: dict, text: dict, vae: dict, family) -> dict[str, torch.Tensor]:
    """diffusers/HF states -> one checkpoint dictionary. `text` holds every layer that goes into the file."""
    out = {UNET + unet_ldm_name(k, family.attention): v for k, v in unet.items()}
    for k, v in vae.items():
        name = VAE + vae_ldm_name(k, len(family.vae_channels))
        is_projection = re.search(r"attn_1\.(q|k|v|proj_out)\.weight$", name)
        out[name] = v[:, :, None, None] if is_projection else v
    if family.linear_projection:
        out |= {TEXT_OPEN + k: v for k, v in text_to_openclip(text, family.text_layers_in_file).items()}
    else:
        out |= {TEXT_HF + k: v for k, v in text.items()}
    return out


def from_ldm(state: dict[str, torch.Tensor], family) -> tuple[dict, dict, dict]:
    """One checkpoint dictionary -> (unet, text, vae) states for the modules of `models.py`."""
    from models import build_unet, build_vae

    def part(prefix: str) -> dict[str, torch.Tensor]:
        return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

    with torch.device("meta"):
        unet_keys, vae_keys = list(build_unet(family).state_dict()), build_vae(family).state_dict()
    source = part(UNET)
    unet = {k: source.pop(unet_ldm_name(k, family.attention)) for k in unet_keys}
    rest = dict(source)
    source = part(VAE)
    vae = {
        k: source.pop(vae_ldm_name(k, len(family.vae_channels))).reshape(shape.shape) for k, shape in vae_keys.items()
    }
    rest |= source
    if rest:
        raise KeyError(f"tensors that no module takes: {sorted(rest)}")
    if family.linear_projection:
        return unet, text_from_openclip(part(TEXT_OPEN), family.text_layers_used), vae
    return unet, {k: v for k, v in part(TEXT_HF).items() if not k.endswith("position_ids")}, vae
