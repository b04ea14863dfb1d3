"""A tiny Florence-2 with random weights as the five files in which Florence-2 is published for ONNX Runtime (vision_encoder,
embed_tokens, encoder_model, decoder_model_merged, tokenizer.json), and what transformers' `generate` writes with the original.

The merged decoder of the publishers chooses between two graphs by `use_cache_branch`; here one graph behaves as either: without
the flag it gives the keys and values of what it attends to, with it only takes them. Writes data/captioner-florence/.
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import ByteLevelBPETokenizer
from tokenizers.processors import RobertaProcessing
from torch import nn
from transformers import BartConfig, CLIPImageProcessor, Florence2Config, Florence2ForConditionalGeneration

from make_tagger import encoded, picture
from pillow_rows import resize_rows_first

OUT = Path(__file__).parent / "data" / "captioner-florence"
SIZE, WIDTH, HEADS, LAYERS = 32, 16, 2, 2
START, END = [2, 0], 2
TEXT = "What does the image describe?"
WORDS = ["a man with a hammer and an apron is standing in a kitchen.", "the image shows a woman, holding a red hat!", TEXT,
         "it's a naïve drawing of two cats; 画 a picture of the smith's house"] * 3
PICTURES = [(61, 47, False), (20, 45, True), (3, 2, False)]
RUNS = [
    {"max_length": 14},
    {"max_length": 20, "no_repeat_ngram_size": 2},
    {"max_length": 20, "num_beams": 3, "early_stopping": True, "no_repeat_ngram_size": 3},
    {"max_length": 16, "num_beams": 4, "length_penalty": 0.5, "no_repeat_ngram_size": 1, "min_length": 8},
]


def tokenizer() -> ByteLevelBPETokenizer:
    made = ByteLevelBPETokenizer()
    made.train_from_iterator(WORDS, vocab_size=340, min_frequency=2, special_tokens=["<s>", "<pad>", "</s>", "<unk>"])
    made.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    made.save(str(OUT / "tokenizer.json"))
    return made


def make_model(vocabulary: int) -> Florence2ForConditionalGeneration:
    torch.manual_seed(6)
    text = BartConfig(
        vocab_size=vocabulary, d_model=WIDTH, encoder_layers=1, decoder_layers=LAYERS, encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS, encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=64, init_std=0.35,
        dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, forced_bos_token_id=None, forced_eos_token_id=None,
        pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2,
    )
    vision = dict(
        depths=(1, 1), patch_size=(7, 3), patch_stride=(4, 2), patch_padding=(3, 1), patch_prenorm=(False, True), embed_dim=(8, 16),
        num_heads=(2, 2), num_groups=(2, 2), window_size=4, drop_path_rate=0.0, mlp_ratio=1.0, projection_dim=WIDTH,
        max_temporal_embeddings=4, max_position_embeddings=8, initializer_range=0.3,
    )
    config = Florence2Config(text_config=text.to_dict(), vision_config=vision, image_token_id=vocabulary - 1)
    model = Florence2ForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "pos" in name:
                parameter.normal_(0, 0.4)
        model.lm_head.weight = nn.Parameter(torch.randn_like(model.lm_head.weight) * 0.7)
        # A little likelier than a word that comes often: captions end by themselves.
        model.lm_head.weight[END] = model.lm_head.weight[266] * 1.05
    return model


class Decoder(nn.Module):
    def __init__(self, model: Florence2ForConditionalGeneration):
        super().__init__()
        self.decoder, self.lm_head = model.language_model.decoder, model.lm_head

    def split(self, x):
        return x.view(1, -1, HEADS, WIDTH // HEADS).transpose(1, 2)

    def attend(self, attention, x, keys, values, mask):
        scores = self.split(attention.q_proj(x)) @ keys.transpose(-1, -2) / math.sqrt(WIDTH // HEADS) + mask
        return attention.out_proj((torch.softmax(scores, -1) @ values).transpose(1, 2).flatten(2))

    def forward(self, encoder_attention_mask, encoder_hidden_states, inputs_embeds, use_cache_branch, *past):
        before, new = past[0].shape[2], inputs_embeds.shape[1]
        positions = torch.arange(before, before + new)
        x = inputs_embeds + self.decoder.embed_positions.weight[positions + 2][None]
        x = self.decoder.layernorm_embedding(x)
        seen = torch.arange(before + new)[None, :] <= positions[:, None]
        causal = torch.zeros(1).masked_fill(~seen, -1e9)[None, None]
        across = (1.0 - encoder_attention_mask.float())[:, None, None, :] * -1e9
        count = encoder_hidden_states.shape[1] * (1 - use_cache_branch.to(torch.int64)[0])
        present = []
        for layer, (key, value, far_key, far_value) in zip(self.decoder.layers, zip(*[iter(past)] * 4)):
            own = layer.self_attn
            keys = torch.cat([key, self.split(own.k_proj(x))], 2)
            values = torch.cat([value, self.split(own.v_proj(x))], 2)
            x = layer.self_attn_layer_norm(x + self.attend(own, x, keys, values, causal))
            far = layer.encoder_attn
            new_far = [self.split(project(encoder_hidden_states[:, :count])) for project in (far.k_proj, far.v_proj)]
            far_keys, far_values = torch.cat([far_key, new_far[0]], 2), torch.cat([far_value, new_far[1]], 2)
            x = layer.encoder_attn_layer_norm(x + self.attend(far, x, far_keys, far_values, across))
            x = layer.final_layer_norm(x + layer.fc2(layer.activation_fn(layer.fc1(x))))
            present += [keys, values, *new_far]
        return self.lm_head(x), *present


class Encoder(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.encoder = model.language_model.encoder

    def forward(self, attention_mask, inputs_embeds):
        return self.encoder(attention_mask=attention_mask, inputs_embeds=inputs_embeds).last_hidden_state


class Vision(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model.model

    def forward(self, pixel_values):
        return self.model.get_image_features(pixel_values)


def export(module, args, name, inputs, outputs, axes) -> None:
    torch.onnx.export(module.eval(), args, str(OUT / name), dynamo=False, opset_version=17, input_names=inputs, output_names=outputs,
                      dynamic_axes=axes)


def main() -> None:
    OUT.mkdir(exist_ok=True)
    resize_rows_first()
    bpe = tokenizer()
    model = make_model(bpe.get_vocab_size() + 1)
    prompt = bpe.encode(TEXT).ids
    image_token = bpe.get_vocab_size()
    with torch.no_grad():
        pixels = torch.zeros(1, 3, SIZE, SIZE)
        features = model.model.get_image_features(pixels)
        patches = features.shape[1]
        export(Vision(model), (pixels,), "vision_encoder.onnx", ["pixel_values"], ["image_features"], {})
        export(model.language_model.encoder.embed_tokens, (torch.tensor([prompt]),), "embed_tokens.onnx", ["input_ids"], ["inputs_embeds"],
               {"input_ids": {1: "length"}, "inputs_embeds": {1: "length"}})
        states = torch.zeros(1, patches + len(prompt), WIDTH)
        mask = torch.ones(1, states.shape[1], dtype=torch.int64)
        export(Encoder(model), (mask, states), "encoder_model.onnx", ["attention_mask", "inputs_embeds"], ["last_hidden_state"],
               {"attention_mask": {1: "length"}, "inputs_embeds": {1: "length"}, "last_hidden_state": {1: "length"}})
        names = [f"{i}.{side}.{part}" for i in range(LAYERS) for side in ("decoder", "encoder") for part in ("key", "value")]
        past = [torch.zeros(1, HEADS, 0 if "encoder" in name else 2, WIDTH // HEADS) for name in names]
        axes = {"encoder_attention_mask": {1: "encoder_length"}, "encoder_hidden_states": {1: "encoder_length"},
                "inputs_embeds": {1: "length"}, "logits": {1: "length"},
                **{f"past_key_values.{name}": {2: "past"} for name in names}, **{f"present.{name}": {2: "present"} for name in names}}
        export(Decoder(model), (mask, states, torch.zeros(1, 2, WIDTH), torch.tensor([False]), *past), "decoder_model_merged.onnx",
               ["encoder_attention_mask", "encoder_hidden_states", "inputs_embeds", "use_cache_branch",
                *[f"past_key_values.{name}" for name in names]],
               ["logits", *[f"present.{name}" for name in names]], axes)
    processor = CLIPImageProcessor(size={"height": SIZE, "width": SIZE}, do_center_crop=False, image_mean=[0.485, 0.456, 0.406],
                                   image_std=[0.229, 0.224, 0.225])
    pictures = []
    for width, height, alpha in PICTURES:
        rgba = picture(width, height, alpha)
        pixels = processor(Image.fromarray(rgba, "RGBA").convert("RGB"), return_tensors="pt").pixel_values
        ids = torch.tensor([[image_token] * patches + prompt])
        runs = []
        for settings in RUNS:
            tokens = model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), pixel_values=pixels, decoder_input_ids=torch.tensor([START]),
                do_sample=False, **settings,
            )[0].tolist()
            while tokens[-1] == 1:
                tokens.pop()
            known = [token for token in tokens if token < image_token]
            runs.append({"settings": settings, "tokens": tokens, "text": bpe.decode(known, skip_special_tokens=True)})
        pictures.append({"width": width, "height": height, "rgba": encoded(rgba), "runs": runs})
    texts = [*dict.fromkeys(WORDS), " two  spaces, 123 and\nlines", "don't we'll I'm", "♥ naïve"]
    expected = {"size": SIZE, "text": TEXT, "pictures": pictures,
                "encoded": [{"text": text, "tokens": bpe.encode(text).ids} for text in texts]}
    (OUT / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n", encoding="utf-8")
    # What was written otherwise would not be what was compared.
    assert np.isfinite(features.numpy()).all()


if __name__ == "__main__":
    main()
