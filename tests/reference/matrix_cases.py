"""The replay matrix: settings under kohya's keys, as a training TOML has them. A new case is one entry here."""

from dataclasses import dataclass, field, replace

from matrix_data import Picture

CAPTIONS = ["sls, 1girl, solo, smile, blue hair", "sls, 1girl, outdoors, hat", "a photo of a cat, red, round", "a dog, black, {big|small}, sky"]
PLAIN = [Picture(i, caption) for i, caption in enumerate(CAPTIONS)]
# Twice the first, and pictures of the class in general: four of five are shown.
WITH_REG = [Picture(0, CAPTIONS[0], repeats=2), *PLAIN[1:3], *(Picture(4 + i, "1girl", is_reg=True) for i in range(5))]
CUT_OUT = [replace(picture, has_alpha=True) for picture in PLAIN]
SHAPES = [Picture(0, CAPTIONS[0]), Picture(1, CAPTIONS[1], width=128), Picture(2, CAPTIONS[2], height=128), Picture(3, CAPTIONS[3], width=128)]
LARGE = [replace(picture, width=96 - 16 * (i % 2), height=80) for i, picture in enumerate(PLAIN)]
MASKED = [replace(picture, has_mask=True) for picture in PLAIN]
LINES = [
    Picture(0, "sls, 1girl ||| solo, {blue|red|{{x}}} hair;;;long hair, smile ||| masterpiece"),
    Picture(1, "sls ||| hat, outdoors, {day|night}\nsecond line, with {a|b|c} tags"),
    Picture(2, "a photo of a cat, red, round, small;;;young, happy, alone"),
]
LONG = [Picture(i, ", ".join([caption] * (4 + 5 * i))) for i, caption in enumerate(CAPTIONS[:3])]
WEIGHTED = [
    Picture(0, "(sls:1.3), 1girl, [solo], smile"),
    Picture(1, "((hat)), outdoors, " + ", ".join(["(blue hair:0.7), tree"] * 14)),
    Picture(2, "a photo of a (cat:1.5)"),
]

UNET = {"network_train_unet_only": True}
TEXT = {"network_train_text_encoder_only": True}
SD2 = {"v2": True}
V = {**SD2, "v_parameterization": True}
ONE = {"learning_rate": 1.0, "unet_lr": 1.0, "text_encoder_lr": 1.0}


# Full training. What no gradient reaches, but for noise, must not be moved by its sign: hence Adam's eps.
FULL = {"learning_rate": 1e-4, "optimizer_args": ["eps=1e-5"]}
FULL_UNET = {**FULL, "stop_text_encoder_training": -1}


def lycoris(*args: str, **more: object) -> dict:
    return {"network_module": "lycoris.kohya", "network_args": list(args), "learning_rate": 5e-3, **more}


def optimizer(name: str, *args: str, **more: object) -> dict:
    return {"optimizer_type": name, "optimizer_args": list(args), **more}


@dataclass(frozen=True)
class Case:
    name: str
    config: dict
    family: str = "sd1"
    pictures: list[Picture] = field(default_factory=lambda: PLAIN)
    # PyTorch's optimizers skip what has no gradient, ours take it for zero: layers that module_dropout leaves out.
    updates_left_out_layers: bool = False
    # The model itself, by train_db.py's rules; otherwise a network beside it.
    trains_model: bool = False


CASES = [
    # Optimizers.
    Case("adamw", optimizer("AdamW", "weight_decay=0.1", "betas=0.8,0.95", "eps=1e-6", unet_lr=0.01, text_encoder_lr=0.003)),
    Case("adam", {**UNET, **optimizer("Adam", "weight_decay=0.05", unet_lr=0.005)}),
    Case("adamw8bit", {**TEXT, **optimizer("AdamW8bit", "weight_decay=0.1"), "network_dim": 32, "network_alpha": 16.0, "learning_rate": 1e-3}),
    Case("adamw8bit-all", {**UNET, **optimizer("AdamW8bit", "min_8bit_size=16", learning_rate=2e-3)}),
    Case("lion", optimizer("Lion", "weight_decay=0.1", "betas=0.9,0.95", learning_rate=1e-3)),
    Case("lion8bit", {**UNET, **optimizer("Lion8bit", "weight_decay=0.1", "min_8bit_size=16", learning_rate=1e-3)}),
    Case("adafactor", {**optimizer("Adafactor"), "max_grad_norm": 0.0, "lr_scheduler": "adafactor"}),
    Case("adafactor-warmup-init", {**UNET, **optimizer("Adafactor", "warmup_init=True", "scale_parameter=True"), "learning_rate": 1e-3}),
    Case("adafactor-fixed", {
        **optimizer("Adafactor", "relative_step=False", "scale_parameter=False", "beta1=0.9", "weight_decay=0.01"),
        "lr_scheduler": "constant_with_warmup", "lr_warmup_steps": 3, "learning_rate": 0.002, "max_grad_norm": 0.0,
        "network_args": ["conv_dim=2"], **SD2,
    }, "sd2"),
    Case("sgd-nesterov", {**UNET, **optimizer("SGDNesterov", "momentum=0.8", "weight_decay=0.01", learning_rate=1.0)}),
    Case("sgd-nesterov8bit", {**UNET, **optimizer("SGDNesterov8bit", "min_8bit_size=16", learning_rate=1.0)}),
    Case("prodigy", {**ONE, **optimizer("Prodigy", "d_coef=2", "weight_decay=0.01", "use_bias_correction=True", "safeguard_warmup=True", "d0=1e-3")}),
    Case("prodigy-cosine", {**UNET, **ONE, **optimizer("Prodigy", "decouple=False", "d0=1e-3", "growth_rate=2"), "lr_scheduler": "cosine", "lr_warmup_steps": 2}),
    Case("dadaptation", {**UNET, **ONE, **optimizer("DAdaptation", "d0=1e-3", "decouple=True", "weight_decay=0.01")}),
    Case("dadapt-adam", {**ONE, **optimizer("DAdaptAdam", "d0=1e-3", "use_bias_correction=True")}),
    Case("dadapt-adagrad", {**UNET, **ONE, **optimizer("DAdaptAdaGrad", "d0=1e-3", "momentum=0.5")}),
    Case("dadapt-sgd", {**UNET, **ONE, **optimizer("DAdaptSGD", "d0=1e-2", "momentum=0.9")}),
    Case("dadapt-lion", {**UNET, **ONE, **optimizer("DAdaptLion", "d0=1e-3", "weight_decay=0.01")}),
    Case("dadapt-adan", {**UNET, **ONE, **optimizer("DAdaptAdan", "d0=1e-3")}),
    Case("dadapt-adan-ip", {**UNET, **ONE, **optimizer("DAdaptAdanIP", "d0=1e-3")}),
    # Schedulers.
    Case("cosine", {**UNET, "lr_scheduler": "cosine", "lr_warmup_steps": 0.2}),
    Case("cosine-with-restarts", {**UNET, "lr_scheduler": "cosine_with_restarts", "lr_scheduler_num_cycles": 3, "lr_warmup_steps": 1}),
    Case("linear", {**UNET, "lr_scheduler": "linear", "lr_warmup_steps": 2}),
    Case("polynomial", {**TEXT, "lr_scheduler": "polynomial", "lr_scheduler_power": 2.0, "text_encoder_lr": 0.02}),
    Case("inverse-sqrt", {**TEXT, "lr_scheduler": "inverse_sqrt", "lr_scheduler_timescale": 3, "lr_warmup_steps": 2}),
    Case("cosine-with-min-lr", {**TEXT, "lr_scheduler": "cosine_with_min_lr", "lr_scheduler_min_lr_ratio": 0.3, "lr_scheduler_num_cycles": 2}),
    Case("warmup-stable-decay", {
        **TEXT, "lr_scheduler": "warmup_stable_decay", "lr_warmup_steps": 2, "lr_decay_steps": 0.5, "lr_scheduler_min_lr_ratio": 0.1,
        "lr_scheduler_args": ["decay_type='cosine'"],
    }),
    Case("piecewise-constant", {**TEXT, "lr_scheduler": "piecewise_constant", "lr_scheduler_args": ["step_rules='1:3,0.1:6,0.01'"]}),
    # The network and which parts are trained.
    Case("rank-and-alpha", {"network_dim": 3, "network_alpha": 6.0, "unet_lr": 2e-3, "text_encoder_lr": 5e-3}),
    Case("alpha-zero", {**TEXT, "network_dim": 5, "network_alpha": 0.0, "text_encoder_lr": [0.01]}),
    Case("locon", {**UNET, "network_args": ["conv_dim=1", "conv_alpha=0.5"], "learning_rate": 2e-3}),
    Case("dropouts", {"network_dropout": 0.2, "network_args": ["rank_dropout=0.25", "module_dropout=0.2"], "network_dim": 4, "train_batch_size": 2}, updates_left_out_layers=True),
    Case("dropout-locon", {**UNET, "network_dropout": 0.3, "network_args": ["conv_dim=2", "conv_alpha=1", "rank_dropout=0.2"], "learning_rate": 2e-3}),
    # Starting from files, and on a base with others in it.
    Case("network-weights", {"network_weights": "start.safetensors", "learning_rate": 2e-3}),
    Case("network-weights-with-ranks", {
        **UNET, **optimizer("AdamW", "eps=1e-5"), "network_weights": "ranks.safetensors", "dim_from_weights": True, "network_dim": 64,
        "network_dropout": 0.5, "learning_rate": 2e-3,
    }),
    Case("network-weights-loha", {
        **UNET, **lycoris("algo=loha", "preset=attn-only", "rank_dropout=0.2"), "network_dim": 1, "network_weights": "loha.safetensors",
    }),
    Case("base-weights", {
        **optimizer("AdamW", "eps=1e-5"), "base_weights": ["start.safetensors", "ranks.safetensors"], "base_weights_multiplier": [0.5],
        "network_dim": 1, "learning_rate": 2e-3,
    }),
    # LyCORIS.
    Case("lycoris-locon", {**SD2, **UNET, **lycoris("algo=locon", "conv_dim=1", "conv_alpha=1", "use_tucker=True", "preset=unet-convblock-only")}, "sd2"),
    Case("lycoris-loha", lycoris("algo=loha", "preset=attn-mlp", network_dim=2)),
    Case("lycoris-lokr-tucker", {
        **SD2, **UNET, **lycoris("algo=lokr", "conv_dim=1", "use_tucker=True", "preset=unet-only", "rs_lora=True", "factor=8"), "network_dim": 1,
    }, "sd2"),
    Case("lycoris-lokr", lycoris("algo=lokr", "factor=4", "decompose_both=True", "preset=attn-only", network_dim=2)),
    Case("lycoris-lokr-full-matrix", lycoris("algo=lokr", "full_matrix=True", "unbalanced_factorization=True", "preset=unet-transformer-only")),
    Case("lycoris-dora", {**TEXT, **lycoris("algo=locon", "dora_wd=True", "use_scalar=True", "preset=full-lin", learning_rate=2e-3)}),
    Case("lycoris-dora-by-input", {
        **TEXT, **lycoris("algo=loha", "dora_wd=True", "wd_on_output=False", "preset=attn-mlp", "rank_dropout=0.2", learning_rate=2e-3),
    }),
    Case("lycoris-dropouts", {
        **lycoris("algo=loha", "rank_dropout=0.2", "module_dropout=0.1", "preset=attn-only"), "network_dim": 1,
    }, updates_left_out_layers=True),
    Case("rates-by-block-and-factor", {
        "network_args": [
            "down_lr_weight=sine+0.25", "mid_lr_weight=0.5", "up_lr_weight=0,1,,0.5,2", "block_lr_zero_threshold=0.3",
            "loraplus_lr_ratio=4", "loraplus_text_encoder_lr_ratio=2",
        ],
        "scale_weight_norms": 0.02,
    }),
    Case("ranks-by-block", {
        **UNET, "scale_weight_norms": 0.02, "learning_rate": 2e-3,
        "network_args": [
            "block_dims=" + ",".join(str(i % 4) for i in range(25)), "block_alphas=" + ",".join(str(1 + i % 3) for i in range(25)),
            "conv_block_dims=" + ",".join(str((i + 1) % 3) for i in range(25)), "conv_block_alphas=" + ",".join(["1.5"] * 25),
        ],
    }),
    # Captions.
    Case("captions-shuffled", {
        "shuffle_caption": True, "keep_tokens": 1, "caption_tag_dropout_rate": 0.3, "caption_dropout_rate": 0.2,
        "caption_prefix": "best,", "caption_suffix": "end", "token_warmup_step": 0.5, "token_warmup_min": 2, **UNET,
    }),
    Case("captions-with-fences", {
        **UNET, "shuffle_caption": True, "keep_tokens_separator": "|||", "secondary_separator": ";;;", "enable_wildcard": True,
        "caption_dropout_every_n_epochs": 3, "train_batch_size": 2,
    }, pictures=LINES),
    Case("caption-separator", {**TEXT, "shuffle_caption": True, "caption_separator": ";"}, pictures=[
        replace(picture, caption=picture.caption.replace(",", ";")) for picture in PLAIN
    ]),
    Case("max-token-length-150", {"max_token_length": 150, "clip_skip": 2, "train_batch_size": 2, **UNET}, pictures=LONG),
    Case("max-token-length-225", {**SD2, "max_token_length": 225, **TEXT}, "sd2", LONG),
    Case("weighted-captions", {"weighted_captions": True, "max_token_length": 150, "learning_rate": 5e-3, **TEXT}, pictures=WEIGHTED),
    # Pictures.
    Case("regularization", {**UNET, "prior_loss_weight": 0.4, "train_batch_size": 2, "max_train_epochs": 3}, pictures=WITH_REG),
    Case("buckets-and-accumulation", {
        **UNET, "enable_bucket": True, "min_bucket_reso": 64, "max_bucket_reso": 256, "bucket_reso_steps": 64, "bucket_no_upscale": True,
        "resolution": "128,128", "train_batch_size": 2, "gradient_accumulation_steps": 2,
    }, pictures=SHAPES),
    Case("flips-and-alpha-mask", {**UNET, "flip_aug": True, "alpha_mask": True, "train_batch_size": 2, "gradient_checkpointing": True}, pictures=CUT_OUT),
    Case("crops-and-colours", {**UNET, "random_crop": True, "color_aug": True, "flip_aug": True, "train_batch_size": 2}, pictures=LARGE),
    Case("masks", {**UNET, "masked_loss": True, "flip_aug": True}, pictures=MASKED),
    # Noise and loss.
    Case("noise-offset", {**UNET, "noise_offset": 0.1}),
    Case("noise-offset-adaptive", {**TEXT, "noise_offset": 0.2, "noise_offset_random_strength": True, "adaptive_noise_scale": 0.1, "train_batch_size": 2}),
    Case("multires-noise", {**TEXT, "multires_noise_iterations": 6, "multires_noise_discount": 0.4, "train_batch_size": 2}),
    Case("input-noise", {**TEXT, "ip_noise_gamma": 0.1}),
    Case("input-noise-random", {**TEXT, "ip_noise_gamma": 0.3, "ip_noise_gamma_random_strength": True, "noise_offset": 0.05}),
    Case("timesteps", {**TEXT, "min_timestep": 200, "max_timestep": 600, "min_snr_gamma": 5.0}),
    Case("timesteps-all-last", {**TEXT, "min_timestep": 700, "max_timestep": 700, "max_grad_norm": 0.0}),
    Case("debiased", {**TEXT, "debiased_estimation_loss": True, "v_pred_like_loss": 0.5}),
    Case("huber-snr", {**TEXT, "loss_type": "huber", "huber_schedule": "snr", "huber_c": 0.2}),
    Case("huber-exponential", {**TEXT, "loss_type": "huber", "huber_schedule": "exponential", "huber_c": 0.05, "huber_scale": 1.5}),
    Case("smooth-l1-constant", {**TEXT, "loss_type": "smooth_l1", "huber_schedule": "constant", "huber_c": 0.3, "huber_scale": 0.5}),
    Case("l1", {**TEXT, "loss_type": "l1", "max_grad_norm": 0.01}),
    # Stable Diffusion 2.
    Case("sd2-v", {**V, "unet_lr": 2e-3, "text_encoder_lr": 4e-3, "network_alpha": 2.0}, "sd2"),
    Case("sd2-v-like-noise", {
        **V, **UNET, "scale_v_pred_loss_like_noise_pred": True, "zero_terminal_snr": True, "min_snr_gamma": 5.0, "learning_rate": 5e-3,
        "gradient_accumulation_steps": 3,
    }, "sd2"),
    Case("sd2-v-debiased", {**V, **TEXT, "debiased_estimation_loss": True, "loss_type": "smooth_l1", "noise_offset": 0.1}, "sd2"),
    # Full training, as train_db.py runs it.
    Case("full-unet", {**FULL_UNET, "train_batch_size": 2, "min_snr_gamma": 5.0}, trains_model=True),
    Case("full-both-rates-and-reg", {**FULL, "learning_rate_te": 3e-5, "prior_loss_weight": 0.4, "gradient_accumulation_steps": 2}, pictures=WITH_REG, trains_model=True),
    Case("full-text-stops", {**FULL, "stop_text_encoder_training": 4, "clip_skip": 2, "gradient_checkpointing": True, "max_grad_norm": 0.5}, trains_model=True),
    Case("full-sd2-v", {**V, **FULL, "learning_rate_te": 5e-5, "lr_scheduler": "cosine"}, "sd2", trains_model=True),
    Case("full-unet-8bit", {"learning_rate": 1e-4, **optimizer("AdamW8bit", "eps=1e-5"), "stop_text_encoder_training": -1}, trains_model=True),
    Case("full-sd2-adafactor", {
        **SD2, "learning_rate": 1e-4, "learning_rate_te": 1e-4, "lr_scheduler": "constant_with_warmup",
        **optimizer("Adafactor", "scale_parameter=False", "relative_step=False", "warmup_init=False", "weight_decay=0.01"),
    }, "sd2", trains_model=True),
]
