"""Adapters of every kind on the mini models, and the weights that they give: data/networks-*.safetensors.

Differences are computed here as the formulas of LyCORIS and peft say, with torch.einsum and torch.kron in float64,
from the tensors as the files hold them. `<kind>-expected` holds weights rounded once to half precision, by checkpoint
key; which strengths they are for is in its metadata. Weights that several of the first three adapters change are in
`mixed-expected` only.
"""

import json

import torch
from safetensors.torch import load_file, save_file

from paths import DATA, mini, seeded

UNET = "model.diffusion_model."
BLOCK = "lora_unet_down_blocks_0_attentions_0_"
INNER = BLOCK + "transformer_blocks_0_"
LDM_BLOCK = UNET + "input_blocks.1.1."
LDM_INNER = LDM_BLOCK + "transformer_blocks.0."
EPS = torch.finfo(torch.float32).eps


class Maker:
    """Collects a file's tensors and each module's difference."""

    def __init__(self, base: dict[str, torch.Tensor], seed: int) -> None:
        self.base, self.random = base, seeded(seed)
        self.tensors: dict[str, torch.Tensor] = {}
        # checkpoint key -> (first row, adapted weight at strength 1)
        self.adapted: dict[str, list[tuple[int, torch.Tensor]]] = {}

    def values(self, *shape: int, scale: float = 0.3) -> torch.Tensor:
        return (torch.randn(shape, generator=self.random) * scale).half()

    def put(self, name: str, dtype: torch.dtype = torch.float16, **parts: torch.Tensor) -> None:
        for part, value in parts.items():
            self.tensors[f"{name}.{part.replace('__', '.')}"] = value.to(dtype).contiguous()

    def result(self, key: str, delta: torch.Tensor, rows: tuple[int, int] | None = None, dora: torch.Tensor | None = None) -> None:
        weight = self.base[key].double()
        first, last = rows or (0, len(weight))
        weight = weight[first:last]
        adapted = weight + delta.double().reshape(weight.shape)
        if dora is not None:
            # Magnitudes have the shape of the norms: [out, 1, ...] or [1, in, ...].
            others = [d for d, size in enumerate(dora.shape) if size == 1]
            adapted = adapted * (dora.double() / (adapted.square().sum(dim=others, keepdim=True).sqrt() + EPS))
        self.adapted.setdefault(key, []).append((first, adapted - weight))

    def lora(self, name: str, key: str, rank: int, alpha: float | None = None, rows: tuple[int, int] | None = None,
             four: bool = False, dora: str | None = None, alpha_dtype: torch.dtype = torch.float16,
             dtype: torch.dtype = torch.float16) -> None:
        out, inner, *kernel = self.base[key].shape
        out = out if rows is None else rows[1] - rows[0]
        ones = [1, 1] if four or kernel else []
        down, up = self.values(rank, inner, *(kernel or ones)).to(dtype), self.values(out, rank, *ones).to(dtype)
        self.put(name, dtype, lora_down__weight=down, lora_up__weight=up)
        if alpha is not None:
            self.put(name, alpha_dtype, alpha=torch.tensor(alpha))
        scale = 1 if alpha is None else alpha / rank
        delta = up.flatten(1).double() @ down.flatten(1).double() * scale
        magnitudes = None
        if dora is not None:
            weight = self.base[key].double()
            dims = [d for d in range(weight.dim()) if d != (0 if dora == "out" else 1)]
            norms = weight.square().sum(dim=dims, keepdim=True).sqrt()
            magnitudes = (norms * (1 + 0.3 * torch.randn(norms.shape, generator=self.random))).float()
            self.put(name, torch.float32, dora_scale=magnitudes)
        self.result(key, delta, rows, magnitudes)

    def tucker_lora(self, name: str, key: str, rank: int, alpha: float) -> None:
        out, inner, *kernel = self.base[key].shape
        down, mid, up = self.values(rank, inner, 1, 1), self.values(rank, rank, *kernel), self.values(out, rank, 1, 1)
        self.put(name, lora_down__weight=down, lora_mid__weight=mid, lora_up__weight=up, alpha=torch.tensor(alpha))
        delta = torch.einsum("om,mnxy,ni->oixy", up.flatten(1).double(), mid.double(), down.flatten(1).double())
        self.result(key, delta * alpha / rank)

    def loha(self, name: str, key: str, rank: int, alpha: float, tucker: bool = False) -> None:
        out, inner, *kernel = self.base[key].shape
        taps = torch.Size(kernel).numel()
        product = None
        for n in ("1", "2"):
            if tucker:
                a, b, t = self.values(rank, out, scale=0.7), self.values(rank, inner, scale=0.7), self.values(rank, rank, *kernel)
                self.put(name, **{f"hada_w{n}_a": a, f"hada_w{n}_b": b, f"hada_t{n}": t})
                part = torch.einsum("mo,mnxy,ni->oixy", a.double(), t.double(), b.double())
            else:
                a, b = self.values(out, rank, scale=0.7), self.values(rank, inner * taps, scale=0.7)
                self.put(name, **{f"hada_w{n}_a": a, f"hada_w{n}_b": b})
                part = a.double() @ b.double()
            product = part if product is None else product * part
        self.put(name, alpha=torch.tensor(alpha))
        self.result(key, product * alpha / rank)

    def lokr(self, name: str, key: str, small: tuple[int, int], rank: int | None, alpha: float,
             decompose_both: bool = False, tucker: bool = False) -> None:
        out, inner, *kernel = self.base[key].shape
        a, c = small
        b, d = out // a, inner // c
        taps = torch.Size(kernel).numel()
        if decompose_both:
            left, right = self.values(a, rank), self.values(rank, c)
            self.put(name, lokr_w1_a=left, lokr_w1_b=right)
            w1 = left.double() @ right.double()
        else:
            whole = self.values(a, c)
            self.put(name, lokr_w1=whole)
            w1 = whole.double()
        if rank is None:
            whole = self.values(b, d, *kernel)
            self.put(name, lokr_w2=whole)
            w2 = whole.double()
        elif tucker:
            left, right, core = self.values(rank, b), self.values(rank, d), self.values(rank, rank, *kernel)
            self.put(name, lokr_w2_a=left, lokr_w2_b=right, lokr_t2=core)
            w2 = torch.einsum("mo,mnxy,ni->oixy", left.double(), core.double(), right.double())
        else:
            left, right = self.values(b, rank), self.values(rank, d * taps)
            self.put(name, lokr_w2_a=left, lokr_w2_b=right)
            w2 = (left.double() @ right.double()).reshape(b, d, *kernel)
        self.put(name, alpha=torch.tensor(alpha))
        scale = alpha / rank if rank is not None else 1
        self.result(key, torch.kron(w1.reshape(a, c, *[1] * len(kernel)), w2) * scale)

    def diff(self, name: str, key: str, dtype: torch.dtype) -> None:
        value = self.values(*self.base[key].shape, scale=0.05)
        self.put(name, dtype, diff=value)
        self.result(key, value)

    def peft(self, path: str, key: str, rank: int, alpha: float) -> None:
        out, inner = self.base[key].shape
        down, up = self.values(rank, inner), self.values(out, rank)
        self.put(path, torch.float32, lora_A__weight=down, lora_B__weight=up)
        self.result(key, up.double() @ down.double() * alpha / rank)

    def save(self, name: str, metadata: dict[str, str] | None = None) -> None:
        save_file(self.tensors, DATA / f"networks-{name}.safetensors", metadata=metadata)


def weights(base: dict[str, torch.Tensor], mix: list[tuple[Maker, float, float]]) -> dict[str, torch.Tensor]:
    """base + sum of strength * difference, rounded once. Strengths are (UNet, text encoder)."""
    sums: dict[str, torch.Tensor] = {}
    for maker, unet, text in mix:
        for key, changes in maker.adapted.items():
            total = sums.setdefault(key, base[key].half().double())
            for first, change in changes:
                total[first:first + len(change)] += (unet if key.startswith(UNET) else text) * change
    return {key: total.half().contiguous() for key, total in sums.items()}


def sd1() -> None:
    base = load_file(mini("sd1"))
    text = "cond_stage_model.transformer.text_model.encoder.layers.0."
    te = "lora_te_text_model_encoder_layers_0_"
    lora = Maker(base, 500)
    # Parts of stacked tensors: q of q, k, v; v of k, v; one of all time projections.
    lora.lora(INNER + "attn1_to_q", LDM_INNER + "attn1.to_q.weight", 4, 2.0)
    lora.lora(INNER + "attn2_to_v", LDM_INNER + "attn2.to_v.weight", 3, None)
    lora.lora("lora_unet_down_blocks_1_resnets_0_time_emb_proj", UNET + "input_blocks.3.0.emb_layers.1.weight", 2, 1.0)
    lora.lora(BLOCK + "proj_in", LDM_BLOCK + "proj_in.weight", 4, 4, four=True, alpha_dtype=torch.int64)
    lora.lora("lora_unet_down_blocks_0_resnets_0_conv1", UNET + "input_blocks.1.0.in_layers.2.weight", 4, 2.0)
    lora.tucker_lora("lora_unet_down_blocks_0_resnets_0_conv2", UNET + "input_blocks.1.0.out_layers.3.weight", 4, 2.0)
    lora.lora("lora_unet_conv_in", UNET + "input_blocks.0.0.weight", 2, 1.0)
    lora.lora("lora_unet_conv_out", UNET + "out.2.weight", 2, 1.0, dtype=torch.bfloat16)
    lora.lora(te + "self_attn_k_proj", text + "self_attn.k_proj.weight", 4, 1.0)
    lora.lora(te + "self_attn_out_proj", text + "self_attn.out_proj.weight", 5, 1.0, dtype=torch.float32)

    others = Maker(base, 501)
    others.loha(INNER + "attn1_to_q", LDM_INNER + "attn1.to_q.weight", 3, 1.5)
    others.loha("lora_unet_down_blocks_0_downsamplers_0_conv", UNET + "input_blocks.2.0.op.weight", 2, 1.0)
    others.loha("lora_unet_down_blocks_0_resnets_0_conv2", UNET + "input_blocks.1.0.out_layers.3.weight", 2, 1.0, tucker=True)
    others.lokr(INNER + "attn2_to_v", LDM_INNER + "attn2.to_v.weight", (4, 8), 2, 1.0)
    others.lokr(INNER + "attn1_to_k", LDM_INNER + "attn1.to_k.weight", (4, 4), 2, 0.5, decompose_both=True)
    others.lokr(INNER + "attn1_to_v", LDM_INNER + "attn1.to_v.weight", (4, 4), None, 1e9)
    others.lokr("lora_unet_down_blocks_0_resnets_0_conv1", UNET + "input_blocks.1.0.in_layers.2.weight", (4, 4), 2, 1.0)
    others.lokr("lora_unet_conv_in", UNET + "input_blocks.0.0.weight", (4, 2), 1, 1.0, tucker=True)
    others.diff(INNER + "attn1_to_out_0", LDM_INNER + "attn1.to_out.0.weight", torch.float16)
    others.diff("lora_unet_conv_out", UNET + "out.2.weight", torch.float32)
    others.tensors[INNER + "attn1_to_out_0.diff_b"] = torch.ones(32).half()
    others.lora(te + "self_attn_k_proj", text + "self_attn.k_proj.weight", 2, 2.0)

    dora = Maker(base, 502)
    dora.lora(INNER + "attn1_to_q", LDM_INNER + "attn1.to_q.weight", 4, 2.0, dora="out")
    dora.lora(INNER + "attn2_to_v", LDM_INNER + "attn2.to_v.weight", 4, 2.0, dora="in")
    dora.lora("lora_unet_down_blocks_0_resnets_0_conv1", UNET + "input_blocks.1.0.in_layers.2.weight", 4, 2.0, dora="out")
    dora.lora("lora_unet_conv_in", UNET + "input_blocks.0.0.weight", 2, 1.0, dora="in")

    peft = Maker(base, 503)
    inner = "unet.down_blocks.0.attentions.0.transformer_blocks.0."
    peft.peft(inner + "attn1.to_q", LDM_INNER + "attn1.to_q.weight", 4, 6)
    peft.peft(inner + "attn1.to_out.0", LDM_INNER + "attn1.to_out.0.weight", 2, 1)
    peft.peft("text_encoder.text_model.encoder.layers.0.self_attn.k_proj", text + "self_attn.k_proj.weight", 4, 2)
    peft_metadata = {"unet.r": 4, "unet.lora_alpha": 6, "unet.alpha_pattern": {"attn1.to_out.0": 1},
                     "text_encoder.r": 4, "text_encoder.lora_alpha": 2}

    lora.save("lora", {"ss_network_module": "networks.lora"})
    others.save("lycoris")
    dora.save("dora")
    peft.save("peft", {"lora_adapter_metadata": json.dumps(peft_metadata)})
    mixed = expect("mixed", base, shared_only=True, lora=(lora, 0.7, 0.3), lycoris=(others, -0.4, 1.2), dora=(dora, 0.5, 0.0))
    expect("lora", base, without=mixed, lora=(lora, 0.7, -0.4))
    expect("lycoris", base, without=mixed, lycoris=(others, 1.0, 1.0))
    expect("dora", base, dora=(dora, 0.6, 0.0))
    expect("peft", base, peft=(peft, 1.0, 0.5))


def sd2() -> None:
    base = load_file(mini("sd2"))
    text = "cond_stage_model.model.transformer.resblocks.0."
    te = "lora_te_text_model_encoder_layers_0_"
    network = Maker(base, 510)
    network.lora(te + "self_attn_v_proj", text + "attn.in_proj_weight", 4, 2.0, rows=(128, 192))
    network.lora(te + "self_attn_q_proj", text + "attn.in_proj_weight", 4, 2.0, rows=(0, 64))
    # sd-scripts has convolutions here, the checkpoint linears.
    network.lora(BLOCK + "proj_in", LDM_BLOCK + "proj_in.weight", 4, 2.0, four=True)
    network.save("sd2")
    expect("sd2", base, sd2=(network, 0.7, 0.9))


def expect(name: str, base: dict[str, torch.Tensor], shared_only: bool = False, without: set[str] | None = None,
           **mix: tuple[Maker, float, float]) -> set[str]:
    """Writes the expected weights and returns their keys."""
    results = weights(base, list(mix.values()))
    if shared_only:
        results = {k: v for k, v in results.items() if sum(k in maker.adapted for maker, _, _ in mix.values()) > 1}
    results = {k: v for k, v in results.items() if k not in (without or set())}
    strengths = [{"name": f"networks-{file}", "unet": unet, "textEncoder": text} for file, (_, unet, text) in mix.items()]
    save_file(results, DATA / f"networks-{name}-expected.safetensors", metadata={"mix": json.dumps(strengths)})
    return set(results)


def main() -> None:
    sd1()
    sd2()


if __name__ == "__main__":
    main()
