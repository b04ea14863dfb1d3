"""Seconds per SD1.5 LoRA training step in PyTorch (diffusers + peft, fp16 base, f32 adapters) for comparison with
`npm run bench -- --model`. Needs a CUDA GPU; random weights.

    python bench_step.py [--side 512] [--batches 1,4] [--steps 20]
"""

import argparse
import time

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--batches", default="1,4")
    parser.add_argument("--steps", type=int, default=20)
    args = parser.parse_args()
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=64, cross_attention_dim=768, attention_head_dim=8, block_out_channels=(320, 640, 1280, 1280)
    ).to("cuda", torch.float16)
    unet.requires_grad_(False)
    modules = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"]
    unet.add_adapter(LoraConfig(r=16, lora_alpha=16, target_modules=modules))
    params = [p for p in unet.parameters() if p.requires_grad]
    for p in params:
        p.data = p.data.float()
    optimizer = torch.optim.AdamW(params, lr=1e-4)
    for batch in map(int, args.batches.split(",")):
        latent = args.side // 8
        x, target = (torch.randn(batch, 4, latent, latent, device="cuda") for _ in range(2))
        context = torch.randn(batch, 77, 768, device="cuda")
        t = torch.randint(0, 1000, (batch,), device="cuda")

        def step() -> None:
            with torch.autocast("cuda", torch.float16):
                pred = unet(x, t, context).sample
            torch.nn.functional.mse_loss(pred.float(), target).backward()
            torch.nn.utils.clip_grad_norm_(params, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        for _ in range(3):
            step()
        torch.cuda.synchronize()
        started = time.perf_counter()
        for _ in range(args.steps):
            step()
        torch.cuda.synchronize()
        seconds = (time.perf_counter() - started) / args.steps
        peak = torch.cuda.max_memory_allocated() / 2**20
        print(f"{torch.cuda.get_device_name()}: {args.side}x{args.side}, batch {batch}: {1000 * seconds:.1f} ms a step, peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
