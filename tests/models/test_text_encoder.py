from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.models.checkpoints import CONFIG, SIZES, checkpoint, write_checkpoint
from trimtab.errors import InputError
from trimtab.models.text_encoder import TextEncoder, load_text_encoder

IDS = torch.tensor([[1, 5, 9, 13, 2], [1, 7, 7, 30, 2], [1, 39, 3, 4, 2]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]])


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    return load_text_encoder(write_checkpoint(tmp_path_factory.mktemp("checkpoint")))


def reference(ids: Tensor, mask: Tensor) -> Tensor:
    """Return what torch's own transformer layers make of the same weights."""
    weights = checkpoint()
    width, places = SIZES["hidden_size"], torch.arange(ids.shape[1])
    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][places]
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    scale, shift = (weights[f"embeddings.LayerNorm.{kind}"] for kind in ("weight", "bias"))
    x = nn.functional.layer_norm(x, (width,), scale, shift, 1e-12)
    for index in range(SIZES["num_hidden_layers"]):
        x = reference_layer(weights, f"encoder.layer.{index}")(x, src_key_padding_mask=mask == 0)
    total = (x * mask[:, :, None]).sum(dim=1)
    unit: Tensor = total / total.norm(dim=1, keepdim=True)
    return unit


def reference_layer(weights: dict[str, Tensor], name: str) -> nn.TransformerEncoderLayer:
    layer = nn.TransformerEncoderLayer(
        32, 4, 64, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    )
    names = {
        "self_attn.out_proj": "attention.output.dense",
        "norm1": "attention.output.LayerNorm",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm2": "output.LayerNorm",
    }
    state = {
        f"{ours}.{kind}": weights[f"{name}.{theirs}.{kind}"]
        for ours, theirs in names.items()
        for kind in ("weight", "bias")
    }
    for kind in ("weight", "bias"):
        parts = [weights[f"{name}.attention.self.{p}.{kind}"] for p in ("query", "key", "value")]
        state[f"self_attn.in_proj_{kind}"] = torch.cat(parts)
    layer.load_state_dict(state)
    return layer


def test_the_encoder_computes_what_torchs_own_layers_compute(encoder: TextEncoder) -> None:
    with torch.no_grad():
        torch.testing.assert_close(encoder(IDS, MASK), reference(IDS, MASK), atol=1e-5, rtol=1e-5)


def test_vectors_have_unit_length(encoder: TextEncoder) -> None:
    with torch.no_grad():
        torch.testing.assert_close(encoder(IDS, MASK).norm(dim=1), torch.ones(3))


def test_what_is_masked_does_not_count(encoder: TextEncoder) -> None:
    with torch.no_grad():
        padded = encoder(IDS, MASK)[1]
        [alone] = encoder(IDS[1:2, :3], MASK[1:2, :3])
    torch.testing.assert_close(padded, alone, atol=1e-5, rtol=1e-5)


def test_a_config_without_a_size_names_it(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    plain = {key: value for key, value in CONFIG.items() if key != "hidden_size"}
    (folder / "config.json").write_text(json.dumps(plain), encoding="utf-8")
    with pytest.raises(InputError, match=r"config\.json lacks hidden_size"):
        load_text_encoder(folder)
