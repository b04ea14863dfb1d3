"""What every training script here shares: the loop around its step, with a resumable state on disk and a log."""

import math
import os
import time
from pathlib import Path

import torch


def one_cycle(progress, warmup=0.02, floor=0.02):
    """Factor of the learning rate at `progress` 0…1: linear up, then half a cosine down."""
    if progress < warmup:
        return progress / warmup
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def save(path, state):
    """Writes beside and renames, so that a kill in mid-write loses nothing."""
    part = Path(f"{path}.part")
    torch.save(state, part)
    os.replace(part, path)


def load(path):
    return torch.load(path, map_location="cpu", weights_only=False) if Path(path).exists() else None


class Log:
    """Prints the mean of every value, and the speed, once in 50 steps."""

    def __init__(self):
        self.began, self.sums, self.count = time.time(), {}, 0

    def add(self, step, total, samples, **values):
        for key, value in values.items():
            self.sums[key] = self.sums.get(key, 0.0) + float(value)
        self.count += 1
        if self.count < 50:
            return
        seconds = time.time() - self.began
        text = "  ".join(f"{key} {value / self.count:.5f}" for key, value in self.sums.items())
        print(f"{step}/{total}  {text}  {samples * self.count / seconds:.1f} pictures/s", flush=True)
        self.began, self.sums, self.count = time.time(), {}, 0


class Training:
    """
    A module under training with its optimizer and moving average. Goes on from `file` where that exists; it holds
    {`key`: weights, "ema", "optimizer", "step", **constants}. `args` has the script's steps, batch, lr and seed.
    `decay` is the moving average's at most, `clip` the gradient's norm at most; None does without.

        for _ in training.steps():
            training.learn(loss_of(a_batch))
    """

    def __init__(self, args, file, key, module, optimizer, decay=None, clip=None, **constants):
        self.args, self.file, self.key, self.module, self.optimizer = args, file, key, module, optimizer
        self.decay, self.clip, self.constants = decay, clip, constants
        self.ema = None if decay is None else {name: value.clone() for name, value in module.state_dict().items()}
        self.step = 0
        if state := load(file):
            module.load_state_dict(state[key])
            optimizer.load_state_dict(state["optimizer"])
            self.step = state["step"]
            for name, value in (self.ema or {}).items():
                value.copy_(state["ema"][name])
        millions = sum(p.numel() for p in module.parameters()) / 1e6
        print(f"{millions:.2f} M parameters, step {self.step} of {args.steps}", flush=True)
        self.log = Log()

    def steps(self, minutes=None):
        """
        Yields once for each step that is left, after setting its learning rate and its own seed: a resumed run draws
        what an unbroken one draws. Saves every three minutes and at the end, or ends early once `minutes` are over.
        """
        began = saved = time.time()
        while self.step < self.args.steps:
            torch.manual_seed(self.args.seed * 1_000_003 + self.step)
            for group in self.optimizer.param_groups:
                group["lr"] = self.args.lr * one_cycle(self.step / self.args.steps)
            yield
            stop = minutes is not None and time.time() - began > 60 * minutes
            if time.time() - saved > 180 or self.step == self.args.steps or stop:
                self.save()
                saved = time.time()
            if stop:
                return

    def learn(self, loss, **values):
        """One step down the gradient of `loss`; `values` go to the log beside it."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.module.parameters(), self.clip)
        self.optimizer.step()
        self.step += 1
        if self.ema is not None:
            self.average()
        self.log.add(self.step, self.args.steps, self.args.batch, loss=loss.item(), **values)

    @torch.no_grad()
    def average(self):
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        for name, value in self.module.state_dict().items():
            if value.is_floating_point():
                self.ema[name].lerp_(value, 1 - decay)

    def save(self):
        average = {} if self.ema is None else {"ema": self.ema}
        weights, optimizer = self.module.state_dict(), self.optimizer.state_dict()
        save(self.file, {self.key: weights, **average, "optimizer": optimizer, "step": self.step, **self.constants})
