"""Loss of a picture against what was drawn."""

from torch.nn import functional as F


def slopes(x):
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def picture_loss(y, x):
    """Pictures in -1…1 [N,3,H,W]. → (loss, plain L1)"""
    tx, ty = slopes(x)
    # Small features (eyes, mouths) are few pixels among flat colour: weigh where the picture changes.
    busy = F.max_pool2d(F.pad(tx.abs(), (0, 1)).amax(1, True) + F.pad(ty.abs(), (0, 0, 0, 1)).amax(1, True), 5, 1, 2)
    weight = 1 + 2 * busy.clamp(max=1)
    error = y - x
    pixel = (weight * (error.abs() + error * error)).mean()
    px, py = slopes(y)
    edge = (px - tx).abs().mean() + (py - ty).abs().mean()
    # Flat areas carry the colours; without this term hues are learned last.
    flat = F.avg_pool2d(error, 8)
    hue = flat.abs().mean() + 2 * flat.square().mean()
    return pixel + edge + 2 * hue, error.abs().mean()
