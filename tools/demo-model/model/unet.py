"""The UNet of Stable Diffusion 1 with its own parameter names, at any width: 8 heads everywhere, 1x1-conv projections."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from .attention import attention
from .norm import Norm

HEADS = 8


class ResBlock(nn.Module):
    def __init__(self, cin, cout, time_dim):
        super().__init__()
        # Slots without parameters keep the indices of the checkpoint's names.
        self.in_layers = nn.Sequential(Norm(cin, 1e-5), nn.Identity(), nn.Conv2d(cin, cout, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, cout))
        self.out_layers = nn.Sequential(Norm(cout, 1e-5), nn.Identity(), nn.Identity(), nn.Conv2d(cout, cout, 3, padding=1))
        self.skip_connection = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()

    def forward(self, x, emb, _context):
        h = self.in_layers(x) + self.emb_layers(emb)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class Attention(nn.Module):
    def __init__(self, dim, context_dim):
        super().__init__()
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(context_dim, dim, bias=False)
        self.to_v = nn.Linear(context_dim, dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(dim, dim), nn.Identity())

    def forward(self, x, context):
        return self.to_out(attention(self.to_q(x), self.to_k(context), self.to_v(context), HEADS))


class GatedGelu(nn.Module):
    def __init__(self, dim, inner):
        super().__init__()
        self.proj = nn.Linear(dim, 2 * inner)

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, -1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.net = nn.Sequential(GatedGelu(dim, 4 * dim), nn.Identity(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        return self.net(x)


class TransformerBlock(nn.Module):
    def __init__(self, dim, context_dim):
        super().__init__()
        self.attn1 = Attention(dim, dim)
        self.attn2 = Attention(dim, context_dim)
        self.ff = FeedForward(dim)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(dim) for _ in range(3))

    def forward(self, x, context):
        h = self.norm1(x)
        x = x + self.attn1(h, h)
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class SpatialTransformer(nn.Module):
    def __init__(self, channels, context_dim):
        super().__init__()
        self.norm = Norm(channels, 1e-6, silu=False)
        self.proj_in = nn.Conv2d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList([TransformerBlock(channels, context_dim)])
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x, _emb, context):
        h = self.proj_in(self.norm(x))
        size = h.shape[2:]
        h = h.flatten(2).transpose(1, 2)
        for block in self.transformer_blocks:
            h = block(h, context)
        return x + self.proj_out(h.transpose(1, 2).unflatten(2, size))


class Plain(nn.Module):
    """A convolution, after doubling the size where `up`. The parameter is called as in the checkpoint."""

    def __init__(self, name, channels, stride=1, up=False):
        super().__init__()
        self.name, self.up = name, up
        setattr(self, name, nn.Conv2d(channels, channels, 3, stride=stride, padding=1))

    def forward(self, x, _emb, _context):
        return getattr(self, self.name)(F.interpolate(x, scale_factor=2.0) if self.up else x)


class First(nn.Conv2d):
    def forward(self, x, _emb, _context):
        return super().forward(x)


def timestep_embedding(t, channels):
    angle = t.float()[:, None] * torch.exp(-math.log(10000) * torch.arange(channels // 2, device=t.device) / (channels // 2))
    return torch.cat([angle.cos(), angle.sin()], 1)


class UNet(nn.Module):
    """State-dict keys are those under `model.diffusion_model.` in a checkpoint file."""

    def __init__(self, ch=64, mult=(1, 2, 2), blocks=1, context_dim=64, attention=None):
        super().__init__()
        attention = attention if attention is not None else range(len(mult))
        self.ch, time_dim = ch, 4 * ch
        self.time_embed = nn.Sequential(nn.Linear(ch, time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim))

        def layers(level, cin, cout):
            return [ResBlock(cin, cout, time_dim)] + ([SpatialTransformer(cout, context_dim)] if level in attention else [])

        inputs, skips, channels = [nn.ModuleList([First(4, ch, 3, padding=1)])], [ch], ch
        for level, m in enumerate(mult):
            for _ in range(blocks):
                inputs.append(nn.ModuleList(layers(level, channels, ch * m)))
                channels = ch * m
                skips.append(channels)
            if level < len(mult) - 1:
                inputs.append(nn.ModuleList([Plain("op", channels, stride=2)]))
                skips.append(channels)
        self.input_blocks = nn.ModuleList(inputs)
        self.middle_block = nn.ModuleList(
            [ResBlock(channels, channels, time_dim), SpatialTransformer(channels, context_dim), ResBlock(channels, channels, time_dim)]
        )
        outputs = []
        for level, m in reversed(list(enumerate(mult))):
            for j in range(blocks + 1):
                block = layers(level, channels + skips.pop(), ch * m)
                channels = ch * m
                if level > 0 and j == blocks:
                    block.append(Plain("conv", channels, up=True))
                outputs.append(nn.ModuleList(block))
        self.output_blocks = nn.ModuleList(outputs)
        self.out = nn.Sequential(Norm(channels, 1e-5), nn.Identity(), nn.Conv2d(channels, 4, 3, padding=1))
        # The last layer of every residual branch starts at zero, as in the original.
        for module in self.modules():
            for last in (
                module.out_layers[3] if isinstance(module, ResBlock) else None,
                module.proj_out if isinstance(module, SpatialTransformer) else None,
                self.out[2] if module is self else None,
            ):
                if last is not None:
                    nn.init.zeros_(last.weight)
                    nn.init.zeros_(last.bias)

    def forward(self, x, t, context):
        emb = self.time_embed(timestep_embedding(t, self.ch))

        def run(block, h):
            for layer in block:
                h = layer(h, emb, context)
            return h

        hs = []
        for block in self.input_blocks:
            x = run(block, x)
            hs.append(x)
        x = run(self.middle_block, x)
        for block in self.output_blocks:
            x = run(block, torch.cat([x, hs.pop()], 1))
        return self.out(x)
