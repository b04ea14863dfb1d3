"""Holds `ldm_names.py` against the single-file converters that diffusers ships: same names, same values."""

import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from safetensors.torch import load_file

from ldm_names import TEXT_OPEN, from_ldm
from models import FAMILIES, Family, build_text, build_unet, build_vae
from paths import mini


def same(ours: dict, theirs: dict, what: str) -> None:
    missing = ours.keys() ^ theirs.keys()
    assert not missing, f"{what}: {sorted(missing)}"
    for k, v in ours.items():
        assert torch.equal(v, theirs[k].reshape(v.shape)), f"{what}: {k}"
    print(f"{what}: {len(ours)} tensors agree with diffusers' converter")


def verify(f: Family) -> None:
    state = load_file(mini(f.name))
    unet, text, vae = from_ldm(state, f)
    with torch.device("meta"):
        unet_config, vae_config = dict(build_unet(f).config), dict(build_vae(f).config)
    same(unet, convert_ldm_unet_checkpoint(dict(state), unet_config), f"{f.name} unet")
    same(vae, convert_ldm_vae_checkpoint(dict(state), vae_config), f"{f.name} vae")
    if f.linear_projection:
        converted = convert_open_clip_checkpoint(build_text(f), dict(state), prefix=TEXT_OPEN)
        converted = {k: v for k, v in converted.items() if k in text}
        same(text, converted, f"{f.name} text encoder")


def main() -> None:
    for f in FAMILIES.values():
        verify(f)


if __name__ == "__main__":
    main()
