"""A tiny checkpoint with random weights, laid out as the real one is."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor

SIZES = {
    "vocab_size": 40,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 256,
    "type_vocab_size": 2,
}
CONFIG = {**SIZES, "layer_norm_eps": 1e-12}
SENTENCES = ("abc", "a longer one", "zebra", "the quick brown fox")


def checkpoint(seed: int = 0) -> dict[str, Tensor]:
    """Return weights under the names that BERT checkpoints use."""
    generator = torch.Generator().manual_seed(seed)
    width, inner = SIZES["hidden_size"], SIZES["intermediate_size"]
    weights: dict[str, Tensor] = {}

    def linear(name: str, rows: int, columns: int) -> None:
        weights[f"{name}.weight"] = torch.randn(rows, columns, generator=generator) * 0.2
        weights[f"{name}.bias"] = torch.randn(rows, generator=generator) * 0.1

    def norm(name: str) -> None:
        weights[f"{name}.weight"] = 1 + 0.1 * torch.randn(width, generator=generator)
        weights[f"{name}.bias"] = 0.1 * torch.randn(width, generator=generator)

    for table, rows in (("word", 40), ("position", 256), ("token_type", 2)):
        weights[f"embeddings.{table}_embeddings.weight"] = torch.randn(
            rows, width, generator=generator
        )
    norm("embeddings.LayerNorm")
    for index in range(SIZES["num_hidden_layers"]):
        layer = f"encoder.layer.{index}"
        for part in ("query", "key", "value"):
            linear(f"{layer}.attention.self.{part}", width, width)
        linear(f"{layer}.attention.output.dense", width, width)
        norm(f"{layer}.attention.output.LayerNorm")
        linear(f"{layer}.intermediate.dense", inner, width)
        linear(f"{layer}.output.dense", width, inner)
        norm(f"{layer}.output.LayerNorm")
    # real checkpoints hold this head too; the encoder has no use for it
    linear("pooler.dense", width, width)
    return weights


def write_checkpoint(folder: Path, *, seed: int = 0) -> Path:
    """Return the folder with config, weights and a tokenizer of single letters in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    save_file(checkpoint(seed), folder / "model.safetensors")
    letters = "abcdefghijklmnopqrstuvwxyz"
    vocabulary = {"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3}
    vocabulary |= {letter: row for row, letter in enumerate(letters, start=4)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
