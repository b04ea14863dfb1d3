"""A LoRA network with sd-scripts' targets, names, scale and initial values, on diffusers and transformers modules."""

import math

import torch

# Class names whose Linear and Conv2d descendants are trained; k>1 convolutions and the second row only with conv_dim.
UNET_TARGETS = ("Transformer2DModel",)
UNET_CONV_TARGETS = ("ResnetBlock2D", "Downsample2D", "Upsample2D")
TEXT_TARGETS = ("CLIPAttention", "CLIPMLP")


class LoraModule(torch.nn.Module):
    """y = org(x) + up(down(x)) * alpha / rank, by hooking the frozen module's forward."""

    def __init__(self, org: torch.nn.Module, rank: int, alpha: float, g: torch.Generator) -> None:
        super().__init__()
        if isinstance(org, torch.nn.Conv2d):
            place = {"stride": org.stride, "padding": org.padding}
            self.lora_down = torch.nn.Conv2d(org.in_channels, rank, org.kernel_size, **place, bias=False)
            self.lora_up = torch.nn.Conv2d(rank, org.out_channels, 1, bias=False)
        else:
            self.lora_down = torch.nn.Linear(org.in_features, rank, bias=False)
            self.lora_up = torch.nn.Linear(rank, org.out_features, bias=False)
        bound = 1 / math.sqrt(self.lora_down.weight[0].numel())
        with torch.no_grad():
            shape = self.lora_down.weight.shape
            self.lora_down.weight.copy_((torch.rand(shape, generator=g, dtype=torch.float32) * 2 - 1) * bound)
            self.lora_up.weight.zero_()
        self.alpha, self.scale, self.enabled = float(alpha), alpha / rank, True
        org.register_forward_hook(self._add)

    def _add(self, _org: torch.nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor:
        return output + self.lora_up(self.lora_down(inputs[0])) * self.scale if self.enabled else output


def is_wide(module: torch.nn.Module) -> bool:
    return isinstance(module, torch.nn.Conv2d) and module.kernel_size != (1, 1)


def targets(root: torch.nn.Module, prefix: str, classes: tuple[str, ...]) -> dict[str, torch.nn.Module]:
    """kohya name -> module to adapt."""
    found = {}
    for path, parent in root.named_modules():
        if type(parent).__name__ not in classes:
            continue
        for child_path, child in parent.named_modules():
            if isinstance(child, torch.nn.Linear | torch.nn.Conv2d):
                found[f"{prefix}.{path}.{child_path}".replace(".", "_")] = child
    return found


class LoraNetwork:
    """The adapters of one run: `text` and `unet` map kohya names to modules; either side may be left out."""

    def __init__(
        self,
        models,
        rank: int,
        alpha: float,
        seed: int,
        unet: bool = True,
        text: bool = True,
        conv: tuple[int, float] | None = None,
    ) -> None:
        """`conv`: conv_dim and conv_alpha."""
        g = torch.Generator().manual_seed(seed)
        self.text, self.unet = {}, {}
        if text:
            found = targets(models.text, "lora_te", TEXT_TARGETS)
            self.text = {k: LoraModule(m, rank, alpha, g) for k, m in found.items()}
        if unet:
            classes = UNET_TARGETS if conv is None else UNET_TARGETS + UNET_CONV_TARGETS
            found = targets(models.unet, "lora_unet", classes)
            self.unet = {
                k: LoraModule(m, *(conv if is_wide(m) else (rank, alpha)), g)
                for k, m in found.items()
                if not is_wide(m) or (conv is not None and conv[0] > 0)
            }
        dtype = next(models.unet.parameters()).dtype
        for m in self.modules().values():
            m.to(dtype)

    def modules(self) -> dict[str, LoraModule]:
        return self.text | self.unet

    def randomize_up(self, std: float, seed: int) -> None:
        """Non-zero `up`, so that every gradient is alive from the first step."""
        g = torch.Generator().manual_seed(seed)
        for m in self.modules().values():
            with torch.no_grad():
                m.lora_up.weight.copy_(torch.randn(m.lora_up.weight.shape, generator=g, dtype=torch.float32) * std)

    def enable(self, on: bool) -> None:
        for m in self.modules().values():
            m.enabled = on

    def parameters(self) -> list[torch.nn.Parameter]:
        return [p for m in self.modules().values() for p in m.parameters()]

    def tensors(self) -> dict[str, torch.Tensor]:
        """What sd-scripts saves: down, up and a 0-d alpha per module, as f32."""
        out = {}
        for name, m in self.modules().items():
            out[f"{name}.lora_down.weight"] = m.lora_down.weight.detach().float().clone()
            out[f"{name}.lora_up.weight"] = m.lora_up.weight.detach().float().clone()
            out[f"{name}.alpha"] = torch.tensor(m.alpha)
        return out

    def load(self, tensors: dict[str, torch.Tensor]) -> None:
        """Strict; 2-D and 1x1 forms of the same tensor are the same tensor."""
        left = dict(tensors)
        for name, m in self.modules().items():
            with torch.no_grad():
                for part in ("lora_down", "lora_up"):
                    weight = getattr(m, part).weight
                    weight.copy_(left.pop(f"{name}.{part}.weight").reshape(weight.shape))
            alpha = float(left.pop(f"{name}.alpha"))
            m.alpha, m.scale = alpha, alpha / m.lora_down.weight.shape[0]
        if left:
            raise KeyError(f"tensors that no module takes: {sorted(left)}")

    def gradients(self) -> dict[str, torch.Tensor]:
        out = {}
        for name, m in self.modules().items():
            out[f"{name}.lora_down.weight"] = m.lora_down.weight.grad.float().clone()
            out[f"{name}.lora_up.weight"] = m.lora_up.weight.grad.float().clone()
        return out
