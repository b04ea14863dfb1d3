"""Stable Diffusion's noise schedule, and DDIM with classifier-free guidance for looking at what a model draws."""

import torch

BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
ALPHAS = torch.cumprod(1 - BETAS, 0)


def add_noise(x, noise, t):
    a = ALPHAS[t].float().to(x.device)[:, None, None, None]
    return a.sqrt() * x + (1 - a).sqrt() * noise


def loss_weight(t, gamma=5.0):
    """
    Min-SNR, and four times as much at full noise: what the noise estimate misses there is divided by sqrt(alpha) = 0.07
    in the first steps of sampling, and a small model never takes it back.
    """
    snr = ALPHAS[t] / (1 - ALPHAS[t])
    return (snr.clamp(max=gamma) / snr * (1 + 3 * (t / 1000) ** 2)).float()


def face_weight(height=16, width=16, extra=3.0):
    """
    [height,width] with mean 1: the cells where faces are count up to 1 + extra times as much as the background's. What people
    ask for (frown, tongue out, wide eyes) is one or two of 256 cells, which an even mean hardly notices.
    """
    y, x = torch.meshgrid(torch.arange(height) - 0.5 * height, torch.arange(width) - 0.55 * width, indexing="ij")
    weight = 1 + extra * torch.exp(-(x**2 + y**2) / (2 * (0.17 * width) ** 2))
    return weight / weight.mean()


@torch.no_grad()
def ddim(predict, context, empty, x, steps=20, cfg=4.0):
    """`predict(x, t, context)` → noise. Context [N,77,C], empty [1,77,C], x [N,4,h,w] unit normal → latents."""
    n = len(x)
    times = [min(999, t + 1) for t in reversed(range(0, 1000, 1000 // steps))]
    both = torch.cat([empty.expand(n, -1, -1), context])
    for i, t in enumerate(times):
        out = predict(torch.cat([x, x]), torch.full((2 * n,), t), both).float()
        eps = out[:n] + cfg * (out[n:] - out[:n])
        a = ALPHAS[t].float()
        b = ALPHAS[times[i + 1]].float() if i + 1 < len(times) else ALPHAS[0].float()
        x0 = (x - (1 - a).sqrt() * eps) / a.sqrt()
        x = b.sqrt() * x0 + (1 - b).sqrt() * eps
    return x0
