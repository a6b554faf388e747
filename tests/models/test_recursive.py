"""The recursive core: shapes, gradients, and what each configuration may differentiate."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch

from trimtab.errors import ConfigError
from trimtab.models.halting import finished, step_loss
from trimtab.models.recursive import Configuration, Mixer, RecursiveConfig, RecursiveNet

KINDS = get_args(Configuration)
B, L, V = 3, 16, 4


def config(**changes: Any) -> RecursiveConfig:
    plain: dict[str, Any] = {
        "kind": "trm",
        "inputs": 5,
        "outputs": V,
        "rows": 4,
        "columns": 4,
        "box": (2, 2),
        "width": 16,
        "blocks": 1,
    }
    return RecursiveConfig(**{**plain, **changes})


def net(**changes: Any) -> RecursiveNet:
    torch.manual_seed(0)
    return RecursiveNet(config(**changes))


def tokens() -> torch.Tensor:
    return torch.randint(0, 5, (B, L), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mixer", get_args(Mixer))
def test_a_step_returns_a_carry_logits_and_one_halting_logit_each(
    kind: Configuration, mixer: Mixer
) -> None:
    model = net(kind=kind, mixer=mixer, heads=2)
    y, z = model.carry(B)
    y, z, logits, q = model(tokens(), y, z)
    assert y.shape == z.shape == (B, L, 16)
    assert logits.shape == (B, L, V)
    assert q.shape == (B,)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_reaches_every_parameter_and_every_loss_term(kind: Configuration) -> None:
    model = net(kind=kind)
    for term in ("answer", "halt"):
        model.zero_grad(set_to_none=True)
        # the halting head starts at zero weights: move it, so that q depends on the net
        torch.nn.init.normal_(model.halt.weight)
        y, z = model.carry(B)
        _, _, logits, q = model(tokens(), y, z)
        loss = step_loss(logits, q, tokens().clamp(max=V - 1))
        getattr(loss, term).backward()
        only = {"answer": "halt.", "halt": "head."}[term]
        for name, parameter in model.named_parameters():
            if not name.startswith(only):
                assert parameter.grad is not None, name
                assert parameter.grad.abs().sum() > 0, name


def test_embeddings_are_taken_in_the_place_of_tokens() -> None:
    model = net(inputs=0, input_width=7, box=(0, 0))
    y, z = model.carry(B)
    _, _, logits, _ = model(torch.randn(B, L, 7), y, z)
    assert logits.shape == (B, L, V)


def test_trm_has_one_net_and_hrm_has_two() -> None:
    def count(model: RecursiveNet) -> int:
        return sum(p.numel() for p in model.parameters())

    one = sum(p.numel() for p in net().net.parameters())
    assert count(net(kind="hrm")) - count(net(kind="trm")) == one


def test_hrm_differentiates_one_call_of_each_net_and_trm_a_whole_recursion() -> None:
    calls: dict[str, int] = {}
    for kind in ("trm", "hrm"):
        model = net(kind=kind, cycles=3, inner=4)
        with_gradient = 0

        def count(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> None:
            nonlocal with_gradient
            with_gradient += output.requires_grad

        model.net.register_forward_hook(count)
        if model.slow is not None:
            model.slow.register_forward_hook(count)
        model(tokens(), *model.carry(B))
        calls[kind] = with_gradient
    assert calls == {"trm": 5, "hrm": 2}


def test_the_plain_net_does_not_depend_on_the_carry() -> None:
    model = net(kind="plain")
    y, z = model.carry(B)
    first = model(tokens(), y, z)[2]
    again = model(tokens(), torch.randn_like(y), torch.randn_like(z))[2]
    assert torch.equal(first, again)


def test_a_row_does_not_depend_on_the_rest_of_its_batch() -> None:
    model = net().eval()
    whole = model(tokens(), *model.carry(B))[2]
    alone = model(tokens()[1:2], *model.carry(1))[2]
    assert torch.allclose(whole[1], alone[0], atol=1e-5)


def test_the_settings_survive_json() -> None:
    assert RecursiveConfig.from_json(config().to_json()) == config()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"width": 0}, "width=0"),
        ({"input_width": 3}, "exactly one"),
        ({"inputs": 0}, "exactly one"),
        ({"mixer": "attention", "width": 12, "heads": 4}, "width=12"),
        ({"cycles": 0}, "cycles=0"),
    ],
)
def test_settings_that_cannot_be_used_are_named(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(**changes)
    assert says in str(caught.value)


def test_foreign_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="not the settings"):
        RecursiveConfig.from_json({"box": [0, 0], "layers": 3})


def test_only_an_answer_right_everywhere_is_exact() -> None:
    logits = torch.full((2, 2, 2), -5.0)
    logits[:, 0, 0] = logits[:, 1, 1] = 5.0
    loss = step_loss(logits, torch.zeros(2), torch.tensor([[0, 1], [0, 0]]))
    assert loss.exact.tolist() == [True, False]
    assert float(loss.halt) == pytest.approx(0.6931, abs=1e-3)


def test_a_puzzle_leaves_when_it_is_believed_or_out_of_steps() -> None:
    done = finished(
        torch.tensor([1.0, 1.0, -1.0, -1.0]),
        torch.tensor([2, 2, 2, 8]),
        least=torch.tensor([1, 3, 1, 1]),
        most=8,
    )
    assert done.tolist() == [True, False, False, True]
