"""The autoencoder of Stable Diffusion 1 (f8, 4 latent channels) with its own parameter names, at any width."""

import torch
from torch import nn
from torch.nn import functional as F

from .norm import Norm


def norm(channels, silu=True):
    return Norm(channels, 1e-6, silu)


class ResBlock(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.norm1 = norm(cin)
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1)
        self.norm2 = norm(cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1)
        if cin != cout:
            self.nin_shortcut = nn.Conv2d(cin, cout, 1)

    def forward(self, x):
        h = self.conv1(self.norm1(x))
        h = self.conv2(self.norm2(h))
        return h + (self.nin_shortcut(x) if hasattr(self, "nin_shortcut") else x)


class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = norm(channels, silu=False)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = (f(h).flatten(2).transpose(1, 2).unsqueeze(1) for f in (self.q, self.k, self.v))
        out = F.scaled_dot_product_attention(q, k, v).squeeze(1).transpose(1, 2).reshape(x.shape)
        return x + self.proj_out(out)


class Resample(nn.Module):
    """Halves with a stride-2 convolution padded at the right and the bottom, or doubles by nearest neighbour."""

    def __init__(self, channels, up):
        super().__init__()
        self.up = up
        self.conv = nn.Conv2d(channels, channels, 3, stride=1 if up else 2, padding=1 if up else 0)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0) if self.up else F.pad(x, (0, 1, 0, 1)))


class Middle(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.block_1 = ResBlock(channels, channels)
        self.attn_1 = Attention(channels)
        self.block_2 = ResBlock(channels, channels)

    def forward(self, x):
        return self.block_2(self.attn_1(self.block_1(x)))


class Level(nn.Module):
    def __init__(self, widths, resample):
        super().__init__()
        self.block = nn.ModuleList(ResBlock(a, b) for a, b in zip(widths, widths[1:]))
        if resample == "down":
            self.downsample = Resample(widths[-1], up=False)
        elif resample == "up":
            self.upsample = Resample(widths[-1], up=True)

    def forward(self, x):
        for block in self.block:
            x = block(x)
        for name in ("downsample", "upsample"):
            if hasattr(self, name):
                x = getattr(self, name)(x)
        return x


class Encoder(nn.Module):
    def __init__(self, widths, blocks, latent):
        super().__init__()
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        levels, channels = [], widths[0]
        for i, width in enumerate(widths):
            levels.append(Level([channels] + [width] * blocks, "down" if i < len(widths) - 1 else None))
            channels = width
        self.down = nn.ModuleList(levels)
        self.mid = Middle(channels)
        self.norm_out = norm(channels)
        self.conv_out = nn.Conv2d(channels, 2 * latent, 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
        return self.conv_out(self.norm_out(self.mid(x)))


class Decoder(nn.Module):
    def __init__(self, widths, blocks, latent):
        super().__init__()
        channels = widths[-1]
        self.conv_in = nn.Conv2d(latent, channels, 3, padding=1)
        self.mid = Middle(channels)
        levels = [None] * len(widths)
        for i in reversed(range(len(widths))):
            levels[i] = Level([channels] + [widths[i]] * (blocks + 1), "up" if i > 0 else None)
            channels = widths[i]
        self.up = nn.ModuleList(levels)
        self.norm_out = norm(channels)
        self.conv_out = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, z):
        x = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(self.norm_out(x))


class Vae(nn.Module):
    """State-dict keys are those under `first_stage_model.` in a checkpoint file."""

    def __init__(self, ch=32, mult=(1, 2, 4, 4), blocks=1, latent=4):
        super().__init__()
        widths = [ch * m for m in mult]
        self.encoder = Encoder(widths, blocks, latent)
        self.decoder = Decoder(widths, blocks, latent)
        self.quant_conv = nn.Conv2d(2 * latent, 2 * latent, 1)
        self.post_quant_conv = nn.Conv2d(latent, latent, 1)

    def encode(self, x):
        """Pictures in -1…1, [N,3,H,W] → mean and log variance of the latents, [N,4,H/8,W/8] each."""
        mean, logvar = self.quant_conv(self.encoder(x)).chunk(2, 1)
        return mean, logvar.clamp(-30, 20)

    def decode(self, z):
        return self.decoder(self.post_quant_conv(z))
