"""A BERT-like text decoder that reads a picture's keys and values, as one ONNX graph with a cache.

What a picture is to the decoder never changes while words are added, so the keys and values that its layers make of
the picture belong to the encoder's graph: they are computed once for a picture and not once for a word.
"""

import math

import torch
from torch import Tensor, nn


def heads_of(x: Tensor, heads: int) -> Tensor:
    """[batch, tokens, width] → [batch, heads, tokens, width / heads]"""
    batch, tokens, width = x.shape
    return x.view(batch, tokens, heads, width // heads).transpose(1, 2)


def attend(query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """[batch, heads, tokens, size] each → [batch, tokens, heads · size]"""
    scores = query @ keys.transpose(-1, -2) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores + mask
    context = torch.softmax(scores, dim=-1) @ values
    return context.transpose(1, 2).flatten(2)


class TextDecoder(nn.Module):
    """input_ids [1, T], keys and values [layers, 1, heads, S, size], past_keys and past_values [layers, 1, heads, P, size]
    → logits of the last token [1, vocabulary], present_keys and present_values [layers, 1, heads, P + T, size]."""

    def __init__(self, embeddings: nn.Module, layers: nn.ModuleList, head: nn.Module, heads: int, is_prefix: bool):
        super().__init__()
        self.embeddings, self.layers, self.head = embeddings, layers, head
        self.heads, self.is_prefix = heads, is_prefix

    def forward(self, input_ids: Tensor, keys: Tensor, values: Tensor, past_keys: Tensor, past_values: Tensor):
        past, new = past_keys.shape[3], input_ids.shape[1]
        positions = torch.arange(past, past + new, dtype=torch.int64)
        embeddings = self.embeddings
        x = embeddings.LayerNorm(embeddings.word_embeddings(input_ids) + embeddings.position_embeddings(positions)[None])
        seen = torch.arange(past + new)[None, :] <= positions[:, None]
        causal = torch.zeros(1).masked_fill(~seen, -10000.0)[None, None]
        present_keys, present_values = [], []
        for index, layer in enumerate(self.layers):
            attention = layer.attention.self
            own_keys = torch.cat([past_keys[index], heads_of(attention.key(x), self.heads)], dim=2)
            own_values = torch.cat([past_values[index], heads_of(attention.value(x), self.heads)], dim=2)
            present_keys.append(own_keys)
            present_values.append(own_values)
            mask = causal
            if self.is_prefix:
                # All of the picture is before the first word.
                mask = torch.cat([torch.zeros(1, 1, new, keys.shape[3]), causal], dim=3)
                own_keys = torch.cat([keys[index], own_keys], dim=2)
                own_values = torch.cat([values[index], own_values], dim=2)
            context = attend(heads_of(attention.query(x), self.heads), own_keys, own_values, mask)
            x = layer.attention.output(context, x)
            if not self.is_prefix:
                query = heads_of(layer.crossattention.self.query(x), self.heads)
                x = layer.crossattention.output(attend(query, keys[index], values[index], None), x)
            x = layer.output(layer.intermediate(x), x)
        return self.head(x[:, -1]), torch.stack(present_keys), torch.stack(present_values)


class CrossEncoder(nn.Module):
    """pixel_values [1, 3, size, size] → keys and values of every layer's attention to the picture: BLIP."""

    def __init__(self, vision: nn.Module, layers: nn.ModuleList, heads: int):
        super().__init__()
        self.vision, self.layers, self.heads = vision, layers, heads

    def forward(self, pixel_values: Tensor):
        states = self.vision(pixel_values=pixel_values).last_hidden_state
        attentions = [layer.crossattention.self for layer in self.layers]
        keys = [heads_of(attention.key(states), self.heads) for attention in attentions]
        values = [heads_of(attention.value(states), self.heads) for attention in attentions]
        return torch.stack(keys), torch.stack(values)


class PrefixEncoder(nn.Module):
    """The same for GIT, where the picture is the beginning of the text. Its tokens see nothing but each other, so they go
    through the decoder's layers here."""

    def __init__(self, vision: nn.Module, projection: nn.Module, layers: nn.ModuleList, heads: int):
        super().__init__()
        self.vision, self.projection, self.layers, self.heads = vision, projection, layers, heads

    def forward(self, pixel_values: Tensor):
        x = self.projection(self.vision(pixel_values=pixel_values).last_hidden_state)
        keys, values = [], []
        for layer in self.layers:
            attention = layer.attention.self
            keys.append(heads_of(attention.key(x), self.heads))
            values.append(heads_of(attention.value(x), self.heads))
            context = attend(heads_of(attention.query(x), self.heads), keys[-1], values[-1], None)
            x = layer.attention.output(context, x)
            x = layer.output(layer.intermediate(x), x)
        return torch.stack(keys), torch.stack(values)
