"""Whole runs of kohya's settings by sd-scripts' own code on the mini models: data/matrix/<name>.safetensors.

Usage: make_matrix.py PATH_TO_SD_SCRIPTS [NAME ...]. The cases are in matrix_cases.py, the
adapters that some of them start from in matrix_networks.py. A file holds the settings and pictures
(`case`), losses and gradient norms of each update (`expected`), and how far the adapter went: for each tensor, in the order
of the network, what it changed by as f16 parts of its largest change (`change`, `scales`), and one number that tells how
it began (`start`). Of a model that is trained itself: `keys` says the order of its tensors, `change` has one number of
`stride` (over all tensors, flat) and `moved` is the length of the whole change.
"""

import importlib
import json
import math
import sys
import time
import types
from dataclasses import asdict
from pathlib import Path

import lycoris.kohya as lycoris
import numpy as np
import torch
from diffusers import DDPMScheduler
from safetensors.torch import save_file

from ldm_names import TEXT_HF, TEXT_OPEN, UNET, text_to_openclip, unet_ldm_name
from make_caption_tokens import clip_tokenizer
from matrix_cases import CASES, Case
from matrix_data import alpha_of, cut_out, encode, epoch_batches, is_flipped, latents_of, mask_of, pixels
from matrix_draws import Draws
from matrix_networks import make_networks, path_of
from models import FAMILIES, Models, load_models
from paths import DATA, mini
from run_numbers import Sequence, gaussian, uniform
from sd_scripts import SdScripts

OUT = DATA / "matrix"
SEED = 5
# A prime: no tensor is met in one column only.
STRIDE = 67
# In the order of our network.
FACTORS = """lora_down.weight lora_mid.weight lora_up.weight hada_t1 hada_w1_a hada_w1_b hada_t2 hada_w2_a hada_w2_b
lokr_w1 lokr_w1_a lokr_w1_b lokr_w2 lokr_t2 lokr_w2_a lokr_w2_b scalar dora_scale""".split()
# What a run of the tests always says; a case changes it.
COMMON = {
    "network_module": "networks.lora", "network_dim": 2, "network_alpha": 1.0, "learning_rate": 0.01, "max_train_steps": 10,
    "train_batch_size": 1, "resolution": "64,64", "caption_extension": ".txt", "seed": SEED, "mixed_precision": "no",
}


def common_of(case: Case) -> dict:
    return {key: value for key, value in COMMON.items() if not (case.trains_model and key.startswith("network_"))}


def network_of(kohya: SdScripts, draws: Draws, args, models: Models):
    """The adapter as train_network.py makes it, with our initial factors and random numbers."""
    words = dict(entry.split("=", 1) for entry in args.network_args or [])
    words.setdefault("dropout", args.network_dropout)
    is_lycoris = args.network_module == "lycoris.kohya"
    if is_lycoris:
        # A preset changes only what it names, so the widest one comes first.
        lycoris.LycorisNetworkKohya.apply_preset(lycoris.PRESET["full"])
    module = lycoris if is_lycoris else kohya.lora
    merge_base(module, args, models)
    if args.dim_from_weights:
        del words["dropout"]
        network, _ = module.create_network_from_weights(1, path_of(args.network_weights), None, models.text, models.unet, **words)
    else:
        network = module.create_network(
            1.0, args.network_dim, args.network_alpha, None, models.text, models.unet, neuron_dropout=args.network_dropout, **words
        )
    network.apply_to(models.text, models.unet, not args.network_train_unet_only, not args.network_train_text_encoder_only)
    layers = layers_of(network)
    draws.name_layers([layer.lora_name for layer in layers], [layer.lora_dim for layer in layers], not is_lycoris and not args.dim_from_weights)
    for index, layer in enumerate(layers):
        for place, (key, factor) in enumerate(factors_of(layer)):
            # What starts at zero stays so, and magnitudes are those of the base's rows.
            if factor.any() and key != "dora_scale":
                with torch.no_grad():
                    factor.copy_(start_of(key, factor, index + place * 2**32))
    if args.network_weights is not None:
        network.load_weights(path_of(args.network_weights))
    return network


def merge_base(module, args, models: Models) -> None:
    """As train_network.py does it, into weights in half precision."""
    for i, file in enumerate(args.base_weights or []):
        numbers = args.base_weights_multiplier or []
        multiplier = numbers[i] if i < len(numbers) else 1.0
        merged, weights = module.create_network_from_weights(multiplier, path_of(file), None, models.text, models.unet, for_inference=True)
        merged.merge_to(models.text, models.unet, weights, torch.float16, "cpu")


def start_of(key: str, factor: torch.Tensor, stream: int) -> torch.Tensor:
    count = factor.numel()
    if key.startswith("hada_"):
        values = gaussian(SEED, "loraInit", stream, count) * np.float64(1.0 if key.endswith("_b") else 0.1)
    else:
        values = (2 * uniform(SEED, "loraInit", stream, count) - 1) / math.sqrt(factor[0].numel())
    return torch.from_numpy(values.astype(np.float32)).reshape(factor.shape)


def layers_of(network) -> list:
    return [*network.text_encoder_loras, *network.unet_loras]


def factors_of(layer) -> list[tuple[str, torch.Tensor]]:
    return sorted(layer.named_parameters(), key=lambda entry: FACTORS.index(entry[0]))


def watch_layers(draws: Draws, models: Models, network) -> None:
    """Lets each layer's forward know whose random numbers it wants."""
    for layer in layers_of(network):
        for module in (*models.text.modules(), *models.unet.modules()):
            forward = vars(module).get("forward")
            if getattr(forward, "__self__", None) is layer:
                module.forward = draws.layer(layer.lora_name, forward)


def train(checkout: Path, case: Case) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], dict[str, list[float]]]:
    """@returns the adapter at the start and at the end, losses and gradient norms by update"""
    draws = Draws(SEED)
    kohya = SdScripts(checkout, draws)
    for name in ("locon", "loha", "lokr"):
        importlib.import_module(f"lycoris.modules.{name}").torch = draws.torch
    args = kohya.arguments(common_of(case) | case.config, case.trains_model)
    models = load_models(FAMILIES[case.family], mini(case.family))
    as_sd_scripts_builds(models)
    tokenizer = clip_tokenizer("!" if args.v2 else "<|endoftext|>")
    tokenizing, encoding = kohya.text_strategies(checkout, tokenizer, args.max_token_length, args.clip_skip)
    varies = args.random_crop or args.color_aug
    latents = [] if varies else latents_of(models, case.pictures, SEED, args.flip_aug)
    if case.trains_model:
        if args.stop_text_encoder_training is None:
            args.stop_text_encoder_training = args.max_train_steps + 1
        network = WholeModel(models, args.stop_text_encoder_training >= 0)
        rates = network.groups(args)
    else:
        network = network_of(kohya, draws, args, models)
        watch_layers(draws, models, network)
        rate = args.text_encoder_lr[0] if isinstance(args.text_encoder_lr, list) else args.text_encoder_lr
        rates = None
    network.requires_grad_(True)
    network.train()
    start = network.tensors() if case.trains_model else tensors_of(network)

    batches_of = lambda epoch: epoch_batches(case.pictures, args.train_batch_size, args.enable_bucket, SEED, epoch)  # noqa: E731
    per_epoch = len(batches_of(0))
    accumulation = args.gradient_accumulation_steps
    if args.max_train_epochs is not None:
        args.max_train_steps = args.max_train_epochs * math.ceil(per_epoch / accumulation)
    groups = rates or network.prepare_optimizer_params(rate, args.unet_lr, args.learning_rate)
    groups = groups[0] if isinstance(groups, tuple) else groups
    _, _, optimizer = kohya.train.get_optimizer(args, groups)
    scheduler = kohya.train.get_scheduler_fix(args, optimizer, 1)
    noise_scheduler = DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000, clip_sample=False
    )
    kohya.custom.prepare_scheduler_for_custom_training(noise_scheduler, "cpu")
    if args.zero_terminal_snr:
        kohya.custom.fix_noise_scheduler_betas_for_zero_terminal_snr(noise_scheduler)

    def latents_at(picture: int, index: int, place: int, is_flipped: bool) -> torch.Tensor:
        if not varies:
            return latents[picture][is_flipped]
        chance = Sequence(SEED, "augmentations", index * 64 + place)
        size = tuple(map(int, args.resolution.split(",")))
        image = cut_out(case.pictures[picture], size, chance) if args.random_crop else pixels(case.pictures[picture])[..., :3]
        image = kohya.shift_colours(chance, image.astype(np.uint8)) if args.color_aug else image
        return encode(models, image[:, ::-1] if is_flipped else image, SEED, "vaeSampleEach", index * 64 + place)

    def loss_of(batch: list[int], index: int, epoch: int, step: int) -> torch.Tensor:
        chances = [draws.captions(index, place) for place in range(len(batch))]
        captions = [kohya.caption(chance, args, case.pictures[i].caption, epoch + 1, step) for i, chance in zip(batch, chances)]
        if args.weighted_captions:
            tokens, weights = tokenizing.tokenize_with_weights(captions)
            context = encoding.encode_tokens_with_weights(tokenizing, [models.text], tokens, weights)[0]
        else:
            context = encoding.encode_tokens(tokenizing, [models.text], tokenizing.tokenize(captions))[0]
        flipped = is_flipped(SEED, index, len(batch)) if args.flip_aug else [False] * len(batch)
        shown = torch.cat([latents_at(i, index, place, flip) for place, (i, flip) in enumerate(zip(batch, flipped))])
        draws.begin(index)
        noise, noisy, timesteps = kohya.train.get_noise_noisy_latents_and_timesteps(args, noise_scheduler, shown)
        prediction = models.predict(noisy, timesteps, context)
        target = noise_scheduler.get_velocity(shown, noise, timesteps) if args.v_parameterization else noise
        threshold = kohya.train.get_huber_threshold_if_needed(args, timesteps, noise_scheduler)
        loss = kohya.train.conditional_loss(prediction, target, args.loss_type, "none", threshold)
        if args.alpha_mask or args.masked_loss:
            masks = [(alpha_of if args.alpha_mask else mask_of)(case.pictures[i]) for i in batch]
            masks = torch.stack([mask.flip(-1) if flip else mask for mask, flip in zip(masks, flipped)])
            loss = kohya.custom.apply_masked_loss(loss, {"alpha_masks" if args.alpha_mask else "conditioning_images": masks})
        loss = loss.mean([1, 2, 3])
        loss = loss * torch.tensor([args.prior_loss_weight if case.pictures[i].is_reg else 1.0 for i in batch])
        if case.trains_model:
            # train_db.py knows no other, and takes the rest in the same order.
            args.v_pred_like_loss = None
        return kohya.post_process_loss(None, loss, args, timesteps, noise_scheduler).mean()

    losses, norms, epoch = [], [], 0
    while len(losses) < args.max_train_steps:
        batches, shown = batches_of(epoch), []
        for i, batch in enumerate(batches):
            if len(losses) == args.max_train_steps:
                break
            draws.begin(epoch * per_epoch + i)
            if case.trains_model and len(losses) == args.stop_text_encoder_training:
                models.text.requires_grad_(False)
            loss = loss_of(batch, epoch * per_epoch + i, epoch, len(losses))
            (loss / accumulation).backward()
            shown.append(loss.item())
            if (i + 1) % accumulation == 0 or i + 1 == len(batches):
                if case.updates_left_out_layers:
                    for p in network.parameters():
                        p.grad = torch.zeros_like(p) if p.grad is None else p.grad
                grads = [p.grad for p in network.parameters() if p.grad is not None]
                norms.append(float(torch.stack([g.double().norm() for g in grads]).norm()))
                if args.max_grad_norm != 0.0:
                    params = network.parameters() if case.trains_model else network.get_trainable_params()
                    torch.nn.utils.clip_grad_norm_(params, args.max_grad_norm)
                optimizer.step()
                scheduler.step()
                optimizer.zero_grad(set_to_none=True)
                losses.append(sum(shown) / len(shown))
                shown = []
            if not case.trains_model and args.scale_weight_norms:
                network.apply_max_norm_regularization(args.scale_weight_norms, "cpu")
        epoch += 1
    end = network.tensors() if case.trains_model else tensors_of(network)
    return start, end, {"losses": losses, "gradNorms": norms}


class WholeModel:
    """UNet and perhaps text encoder as train_db.py trains them."""

    def __init__(self, models: Models, trains_text: bool) -> None:
        self.models, self.parts = models, [models.unet, *([models.text] if trains_text else [])]
        # The wide checkpoint of the tests: a row for each of CLIP's tokens.
        table = models.text.text_model.embeddings.token_embedding
        table.weight = torch.nn.Parameter(table.weight.data[torch.arange(49408) % table.num_embeddings], requires_grad=False)
        del table.forward

    def groups(self, args) -> list:
        unet, text = list(self.models.unet.parameters()), list(self.models.text.parameters())
        if len(self.parts) == 1:
            return unet
        if args.learning_rate_te is None:
            return [*unet, *text]
        return [{"params": unet, "lr": args.learning_rate}, {"params": text, "lr": args.learning_rate_te}]

    def requires_grad_(self, wanted: bool) -> None:
        for part in self.parts:
            part.requires_grad_(wanted)

    def train(self) -> None:
        for part in self.parts:
            part.train()

    def parameters(self) -> list[torch.Tensor]:
        return [p for part in self.parts for p in part.parameters()]

    def tensors(self) -> dict[str, torch.Tensor]:
        f = self.models.family
        out = {UNET + unet_ldm_name(k, f.attention): v for k, v in self.models.unet.state_dict().items()}
        if len(self.parts) > 1:
            state = self.models.text.state_dict()
            text = text_to_openclip(state, f.text_layers_used) if f.linear_projection else state
            out |= {(TEXT_OPEN if f.linear_projection else TEXT_HF) + k: v for k, v in text.items()}
        return {k: v.detach().clone() for k, v in out.items()}


def as_sd_scripts_builds(models: Models) -> None:
    """
    sd-scripts' own UNet has the layers between the attentions, diffusers' behind them; layers are numbered as they come. From a
    checkpoint file its projections are convolutions in SD2 too. The mini's text encoder is made to take all of CLIP's tokens:
    number i is number i modulo its 512 rows.
    """
    for module in models.unet.modules():
        if type(module).__name__ == "BasicTransformerBlock":
            parts = module._modules
            for name in ("attn1", "ff", "attn2"):
                parts[name] = parts.pop(name)
        if type(module).__name__ == "Attention":
            # LyCORIS' preset attn-only looks for this name.
            module.__class__ = type("CrossAttention", (type(module),), {})
        if type(module).__name__ == "Transformer2DModel" and module.use_linear_projection:
            module.use_linear_projection = False
            for name in ("proj_in", "proj_out"):
                setattr(module, name, as_convolution(getattr(module, name)))
    table = models.text.text_model.embeddings.token_embedding
    lookup = table.forward
    table.forward = types.MethodType(lambda _, ids: lookup(ids % table.num_embeddings), table)


def as_convolution(linear: torch.nn.Linear) -> torch.nn.Conv2d:
    convolution = torch.nn.Conv2d(linear.in_features, linear.out_features, 1)
    convolution.weight.data, convolution.bias.data = linear.weight.data[:, :, None, None], linear.bias.data
    return convolution.requires_grad_(False)


def tensors_of(network) -> dict[str, torch.Tensor]:
    return {
        f"{layer.lora_name}.{key}": factor.detach().clone() for layer in layers_of(network) for key, factor in factors_of(layer)
    }


def make(checkout: Path, case: Case) -> None:
    began = time.perf_counter()
    start, end, expected = train(checkout, case)
    changes = {name: end[name] - start[name] for name in start}
    scales = torch.stack([change.abs().max().clamp_min(1e-30) for change in changes.values()])
    parts = torch.cat([(change / scale).flatten() for change, scale in zip(changes.values(), scales)])
    if case.trains_model:
        expected |= {"keys": list(changes), "stride": STRIDE, "moved": math.sqrt(sum(float(c.double().square().sum()) for c in changes.values()))}
        parts = parts[::STRIDE].clone()
    expected["start"] = sum(float((t.double().flatten().square() * (2 + torch.arange(1, t.numel() + 1).cos())).sum()) for t in start.values())
    about = {"family": case.family, "config": common_of(case) | case.config, "pictures": [asdict(p) for p in case.pictures]}
    metadata = {"matrix": json.dumps({"case": about, "expected": expected}, sort_keys=True)}
    OUT.mkdir(exist_ok=True)
    file = OUT / f"{case.name}.safetensors"
    save_file({"change": parts.half(), "scales": scales}, file, metadata=metadata)
    losses, norms = expected["losses"], expected["gradNorms"]
    moved = math.sqrt(sum(float(c.square().sum()) for c in changes.values()) / sum(float(t.square().sum()) for t in end.values()))
    print(
        f"{case.name}: losses {losses[0]:.5f} .. {losses[-1]:.5f}, norms {min(norms):.2g} .. {max(norms):.2g}, "
        f"moved by {moved:.2g} of its size, {file.stat().st_size:,} bytes, {time.perf_counter() - began:.1f} s", flush=True,
    )


def main() -> None:
    # Small operations: threads would only wait for each other.
    torch.set_num_threads(1)
    checkout, wanted = Path(sys.argv[1]), sys.argv[2:]
    if not wanted:
        models = load_models(FAMILIES["sd1"], mini("sd1"))
        as_sd_scripts_builds(models)
        make_networks(SdScripts(checkout, Draws(SEED)), models)
    if unknown := set(wanted) - {case.name for case in CASES}:
        sys.exit(f"There is no case {', '.join(sorted(unknown))}")
    for case in CASES:
        if not wanted or case.name in wanted:
            make(checkout, case)


if __name__ == "__main__":
    main()
