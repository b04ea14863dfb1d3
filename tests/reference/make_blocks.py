"""Settings of the UNet's single blocks as sd-scripts reads them; writes tests/unit/fixtures/blocks.json. Takes a checkout."""

import json
import sys
from pathlib import Path

from matrix_draws import Draws
from sd_scripts import SdScripts

OUT = Path(__file__).parent.parent / "unit" / "fixtures" / "blocks.json"

WEIGHTS = [
    {"down_lr_weight": "sine"},
    {"down_lr_weight": "cosine+0.25", "up_lr_weight": "reverse_linear"},
    {"up_lr_weight": "linear+.5", "mid_lr_weight": "0.5"},
    {"down_lr_weight": "zeros", "mid_lr_weight": "1", "up_lr_weight": "zeros+0.75"},
    {"down_lr_weight": "0,0.1,,2", "block_lr_zero_threshold": "0.1"},
    # Where one is too long, sd-scripts wants the other, too.
    {"up_lr_weight": ",".join(str(i / 10) for i in range(15)), "down_lr_weight": "0.5,"},
    {"mid_lr_weight": "0"},
    {"up_lr_weight": "sine", "block_lr_zero_threshold": "0.5"},
]
NETWORK = {"network_dim": 8, "network_alpha": 4.0}
DIMS = ",".join(str(i % 5) for i in range(25))
ALPHAS = ",".join(str(i / 2) for i in range(25))
RANKS = [
    {"block_dims": DIMS},
    {"block_dims": DIMS, "block_alphas": ALPHAS, "down_lr_weight": "zeros"},
    {"mid_lr_weight": "0", "conv_dim": 3, "conv_alpha": 1.5},
    {"mid_lr_weight": "2", "conv_block_dims": DIMS, "conv_block_alphas": ALPHAS},
    {"block_dims": DIMS, "conv_block_dims": DIMS},
]
LAYERS = (
    [f"down_blocks_{i}_attentions_{j}_proj_in" for i in range(3) for j in range(2)]
    + [f"down_blocks_{i}_resnets_{j}_conv1" for i in range(4) for j in range(2)]
    + [f"down_blocks_{i}_downsamplers_0_conv" for i in range(3)]
    + ["mid_block_attentions_0_proj_in", "mid_block_resnets_1_conv2"]
    + [f"up_blocks_{i}_resnets_{j}_conv_shortcut" for i in range(4) for j in range(3)]
    + [f"up_blocks_{i}_upsamplers_0_conv" for i in range(3)]
)


def main() -> None:
    lora = SdScripts(Path(sys.argv[1]), Draws(0)).lora

    def ranks(case: dict) -> dict:
        weights = lora.parse_block_lr_kwargs(False, case)
        lists = lora.get_block_dims_and_alphas(
            False, case.get("block_dims"), case.get("block_alphas"), NETWORK["network_dim"], NETWORK["network_alpha"],
            case.get("conv_block_dims"), case.get("conv_block_alphas"), case.get("conv_dim"), case.get("conv_alpha"),
        )
        return dict(zip(["dims", "alphas", "conv_dims", "conv_alphas"], lora.remove_block_dims_and_alphas(False, *lists, weights)))

    found = {
        "weights": [{"settings": case, "weights": lora.parse_block_lr_kwargs(False, case)} for case in WEIGHTS],
        "ranks": [{"settings": NETWORK | case, **ranks(case)} for case in RANKS],
        "blocks": {f"lora_unet_{name}": lora.get_block_index(f"lora_unet_{name}") for name in LAYERS},
    }
    OUT.write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
