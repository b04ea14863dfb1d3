"""Random mini checkpoints in the single-file layout: data/mini-sd1.safetensors and data/mini-sd2.safetensors (f16)."""

import math

import torch
from safetensors.torch import save_file

from ldm_names import TEXT_HF, TEXT_OPEN, to_ldm
from models import FAMILIES, Family, build_text, build_unet, build_vae
from paths import DATA, seeded


def randomize(module: torch.nn.Module, g: torch.Generator) -> dict[str, torch.Tensor]:
    """Variance-preserving weights, lively norms and biases: no output is constant, no gradient vanishes."""
    norms = (torch.nn.GroupNorm, torch.nn.LayerNorm)
    state = {}
    for path, m in module.named_modules():
        for name, p in m.named_parameters(recurse=False):
            noise = torch.randn(p.shape, generator=g)
            if isinstance(m, norms):
                value = (1 if name == "weight" else 0) + 0.2 * noise
            elif name == "bias":
                value = 0.1 * noise
            elif isinstance(m, torch.nn.Embedding):
                value = 0.7 * noise
            else:
                value = noise / math.sqrt(p[0].numel())
                # A little sharper than uniform, so that wrong scores show.
                value = value * (1.7 if path.endswith(("to_q", "to_k", "q_proj", "k_proj")) else 1.0)
            state[f"{path}.{name}"] = value
    assert state.keys() == module.state_dict().keys()
    return state


def make(f: Family, seed: int) -> None:
    g = seeded(seed)
    unet, vae = randomize(build_unet(f), g), randomize(build_vae(f), g)
    text = randomize(build_text(f, f.text_layers_in_file), g)
    tensors = to_ldm(unet, text, vae, f)
    tensors = {k: v.to(torch.float16).contiguous() for k, v in tensors.items()}
    # What real files carry besides and a loader must leave alone.
    if f.linear_projection:
        tensors[TEXT_OPEN + "text_projection"] = torch.randn(f.context, f.context, generator=g).half() / 8
        tensors[TEXT_OPEN + "logit_scale"] = torch.tensor(4.6052).half()
    else:
        tensors[TEXT_HF + "text_model.embeddings.position_ids"] = torch.arange(77).unsqueeze(0)
    save_file(tensors, DATA / f"mini-{f.name}.safetensors", metadata={"format": "pt"})


def main() -> None:
    for seed, f in enumerate(FAMILIES.values()):
        make(f, 100 + seed)


if __name__ == "__main__":
    main()
