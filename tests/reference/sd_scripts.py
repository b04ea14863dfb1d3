"""Definitions of a checkout of sd-scripts, run as they are: only what needs no GPU libraries is taken from there."""

import argparse
import ast
import importlib
import logging
import math
import random
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import torch
import transformers
from diffusers.optimization import SchedulerType as DiffusersSchedulerType
from diffusers.optimization import TYPE_TO_SCHEDULER_FUNCTION as DIFFUSERS_TYPE_TO_SCHEDULER_FUNCTION
from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION, SchedulerType

PARSERS = ["add_sd_models_arguments", "add_dataset_arguments", "add_training_arguments", "add_masked_loss_arguments", "add_optimizer_arguments"]
FUNCTIONS = [
    "is_schedulefree_optimizer", "get_optimizer", "get_dummy_scheduler", "get_scheduler_fix", "get_timesteps",
    "get_noise_noisy_latents_and_timesteps", "get_huber_threshold_if_needed", "conditional_loss",
]


def definitions(file: Path, names: list[str], scope: dict, owner: str | None = None) -> dict:
    """Functions and classes by name, out of a module or a class of it, made anew in `scope`."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    if owner is not None:
        body = next(item for item in body if getattr(item, "name", None) == owner).body
    found = [item for item in body if getattr(item, "name", None) in names]
    future = ast.ImportFrom("__future__", [ast.alias("annotations")], 0)
    tree = ast.fix_missing_locations(ast.Module([future, *found], []))
    exec(compile(tree, str(file), "exec"), scope)
    return scope


def package(name: str, path: Path) -> None:
    module = sys.modules[name] = ModuleType(name)
    module.__path__ = [str(path)]


def stub(name: str, **content) -> None:
    module = sys.modules[name] = ModuleType(name)
    vars(module).update(content)


class SdScripts:
    """The parts of a training run. `draws` stands where their modules say `torch` and `random`."""

    def __init__(self, checkout: Path, draws) -> None:
        library = checkout / "library"
        package("library", library)
        package("networks", checkout / "networks")
        stub("library.utils", setup_logging=lambda *args, **kwargs: None)
        stub("library.sdxl_original_unet", SdxlUNet2DConditionModel=type("SdxlUNet2DConditionModel", (), {}))
        # Modules of their own for each run: making a network with conv_dim changes what the class trains from then on.
        for name in ("library.custom_train_functions", "networks.lora"):
            sys.modules.pop(name, None)
        self.custom = importlib.import_module("library.custom_train_functions")
        self.lora = importlib.import_module("networks.lora")
        self.custom.torch = self.lora.torch = draws.torch
        self.custom.random = draws.multires
        logging.disable(logging.CRITICAL)
        scope = {
            "torch": draws.torch, "transformers": transformers, "math": math, "ast": ast, "argparse": argparse, "importlib": importlib,
            "logger": logging.getLogger(), "custom_train_functions": self.custom, "Optimizer": torch.optim.Optimizer,
            "SchedulerType": SchedulerType, "TYPE_TO_SCHEDULER_FUNCTION": TYPE_TO_SCHEDULER_FUNCTION,
            "DiffusersSchedulerType": DiffusersSchedulerType,
            "DIFFUSERS_TYPE_TO_SCHEDULER_FUNCTION": DIFFUSERS_TYPE_TO_SCHEDULER_FUNCTION,
        }
        self.train = SimpleNamespace(**definitions(library / "train_util.py", FUNCTIONS, scope))
        names = ["apply_snr_weight", "scale_v_prediction_loss_like_noise_prediction", "add_v_prediction_like_loss", "apply_debiased_estimation"]
        scope = definitions(checkout / "train_network.py", ["post_process_loss"], {n: getattr(self.custom, n) for n in names}, "NetworkTrainer")
        self.post_process_loss = scope["post_process_loss"]
        self.captions = {"re": re, "math": math, "random": random}
        definitions(library / "train_util.py", ["process_caption"], self.captions, "BaseDataset")
        self._colours = definitions(library / "train_util.py", ["color_aug"], {"cv2": cv2, "np": np, "random": random}, "AugHelper")
        self.parser = self._parser(checkout, "train_network.py")
        self.model_parser = self._parser(checkout, "train_db.py")

    def _parser(self, checkout: Path, program: str) -> argparse.ArgumentParser:
        names = SimpleNamespace(**definitions(checkout / "library" / "train_util.py", PARSERS, {"argparse": argparse, "os": __import__("os")}))
        none = SimpleNamespace(**{n: lambda parser: None for n in ("add_model_spec_arguments", "add_deepspeed_arguments", "add_config_arguments")})
        scope = {
            "argparse": argparse, "train_util": names, "sai_model_spec": none, "deepspeed_utils": none, "config_util": none,
            "custom_train_functions": self.custom, "add_logging_arguments": lambda parser: None,
        }
        names.add_sd_saving_arguments = lambda parser: None
        return definitions(checkout / program, ["setup_parser"], scope)["setup_parser"]()

    def arguments(self, config: dict, trains_model: bool = False) -> argparse.Namespace:
        """What sd-scripts makes of a configuration file: its values as they are over the defaults."""
        parser = self.model_parser if trains_model else self.parser
        known = {action.dest for action in parser._actions}
        if unknown := config.keys() - known:
            raise KeyError(f"sd-scripts has no {sorted(unknown)}")
        return parser.parse_args([], argparse.Namespace(**config))

    def caption(self, chance, args: argparse.Namespace, caption: str, epoch: int, step: int) -> str:
        """A picture's caption at one showing."""
        self.captions["random"] = chance
        moment = SimpleNamespace(current_epoch=epoch, current_step=step, max_train_steps=args.max_train_steps, replacements={})
        return self.captions["process_caption"](moment, args, caption)

    def shift_colours(self, chance, image: np.ndarray) -> np.ndarray:
        """color_aug of bytes [h, w, 3]."""
        self._colours["random"] = chance
        return self._colours["color_aug"](None, image.copy())["image"]

    def text_strategies(self, checkout: Path, tokenizer, max_token_length: int | None, clip_skip: int | None):
        """How captions become states: tokenizing and encoding strategies."""
        scope = {"re": re, "torch": torch, "logger": logging.getLogger(), "TokenizeStrategy": object, "TextEncodingStrategy": object}
        exec("from typing import *", scope)
        library = checkout / "library"
        definitions(library / "strategy_base.py", ["TokenizeStrategy"], scope)
        definitions(library / "strategy_sd.py", ["SdTokenizeStrategy", "SdTextEncodingStrategy"], scope)
        tokenizing = object.__new__(scope["SdTokenizeStrategy"])
        tokenizing.tokenizer = tokenizer
        tokenizing.max_length = 77 if max_token_length is None else max_token_length + 2
        return tokenizing, scope["SdTextEncodingStrategy"](clip_skip)
