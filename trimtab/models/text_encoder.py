"""MiniLM's encoder in torch, for export: BERT layers, mean pooling, unit length.

Sources: Devlin et al. 2019, "BERT" (arXiv 1810.04805); Wang et al. 2020, "MiniLM" (arXiv
2002.10957); Reimers & Gurevych 2019, "Sentence-BERT" (arXiv 1908.10084), mean pooling.
B is the batch, L the tokens, D the width.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from trimtab.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderConfig:
    """Sizes of the encoder, named as in the checkpoint's ``config.json``."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float

    @classmethod
    def from_file(cls, path: Path) -> EncoderConfig:
        """Return the sizes that a ``config.json`` holds; raises ``InputError`` if one is absent."""
        plain = json.loads(path.read_text(encoding="utf-8"))
        absent = [name for name in cls.__dataclass_fields__ if name not in plain]
        if absent:
            raise InputError(f"{path} lacks {', '.join(absent)}; give a BERT checkpoint's config")
        return cls(**{name: plain[name] for name in cls.__dataclass_fields__})


class Layer(nn.Module):
    """Self-attention and a GELU feed-forward, each with a residual and a LayerNorm after it."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.heads = config.num_attention_heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.mix = nn.Linear(width, width)
        self.mix_norm = nn.LayerNorm(width, eps=eps)
        self.up = nn.Linear(width, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, width)
        self.down_norm = nn.LayerNorm(width, eps=eps)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Return `[B, L, D]`; ``bias`` `[B, 1, 1, L]` is very negative at padding."""
        split = (x.shape[0], x.shape[1], self.heads, -1)
        q, k, v = (
            project(x).view(split).transpose(1, 2) for project in (self.query, self.key, self.value)
        )
        weights = torch.softmax(q @ k.transpose(2, 3) * q.shape[-1] ** -0.5 + bias, dim=-1)
        mixed: Tensor = self.mix((weights @ v).transpose(1, 2).flatten(2))
        x = self.mix_norm(x + mixed)
        raised = functional.gelu(self.up(x))
        normed: Tensor = self.down_norm(x + self.down(raised))
        return normed


class TextEncoder(nn.Module):
    """Token ids to one unit vector per text."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.words = nn.Embedding(config.vocab_size, width)
        self.positions = nn.Embedding(config.max_position_embeddings, width)
        self.types = nn.Embedding(config.type_vocab_size, width)
        self.norm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return `[B, D]` unit vectors of `[B, L]` ids; the mask is 1 at tokens, 0 at padding."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        kinds = torch.zeros_like(input_ids)
        x = self.norm(self.words(input_ids) + self.positions(places) + self.types(kinds))
        present = attention_mask.to(x.dtype)
        bias = (1.0 - present)[:, None, None, :] * -1e4
        for layer in self.layers:
            x = layer(x, bias)
        weights = present[:, :, None]
        pooled = (x * weights).sum(dim=1) / weights.sum(dim=1)
        return functional.normalize(pooled, dim=1)


# where the checkpoint keeps the parts of a layer
_LAYER_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "mix": "attention.output.dense",
    "mix_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "down_norm": "output.LayerNorm",
}
_TABLE_NAMES = {
    "words": "embeddings.word_embeddings",
    "positions": "embeddings.position_embeddings",
    "types": "embeddings.token_type_embeddings",
    "norm": "embeddings.LayerNorm",
}


def load_text_encoder(folder: Path) -> TextEncoder:
    """Return the encoder with the weights of a checkpoint folder, ready for inference."""
    config = EncoderConfig.from_file(folder / "config.json")
    stored = load_file(folder / "model.safetensors")
    encoder = TextEncoder(config)
    sources = dict(_TABLE_NAMES)
    for index in range(config.num_hidden_layers):
        for ours, theirs in _LAYER_NAMES.items():
            sources[f"layers.{index}.{ours}"] = f"encoder.layer.{index}.{theirs}"
    weights = {}
    for name in encoder.state_dict():
        module, _, kind = name.rpartition(".")
        weights[name] = stored[f"{sources[module]}.{kind}"]
    encoder.load_state_dict(weights)
    return encoder.eval()
