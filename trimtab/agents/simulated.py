"""An expert that is right with a stated probability, to show what a better LLM would earn.

Everything it says is marked: its tier reads ``simulated:0.95``, and reports repeat the word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Generic, TypeVar

from trimtab.errors import ConfigError
from trimtab.pricing import PriceTable
from trimtab.protocols import Domain
from trimtab.records import Passage, Prediction, Usage

S = TypeVar("S")

CHARS_PER_TOKEN = 4
"""Characters per token of English text, as OpenAI's tokenizer guide puts it."""


class SimulatedExpert(Generic[S]):
    """Knows the truth of a domain and tells it with probability ``accuracy``.

    Draws depend on the seed and the text alone, so that the same request gets the same answer.
    Its price is that of a named model for a prompt of the same length; it has no latency.
    """

    name = "llm"
    reads_context = False

    def __init__(
        self, domain: Domain[S], *, accuracy: float, priced_as: str, prices: PriceTable, seed: int
    ) -> None:
        if not 0.0 <= accuracy <= 1.0:
            raise ConfigError(f"accuracy={accuracy} is not a probability; give a number in [0, 1]")
        self._domain = domain
        self._accuracy = accuracy
        self._priced_as = priced_as
        self._prices = prices
        self._seed = seed
        self.tier = f"simulated:{accuracy:g}"

    def predict(
        self, states: Sequence[S], *, context: Sequence[Sequence[Passage]] = ()
    ) -> list[Prediction]:
        """Return one prediction per state; raises ``TruthUnknown`` where there is no truth."""
        return [self._predict(state) for state in states]

    def _predict(self, state: S) -> Prediction:
        text = self._domain.to_text(state)
        legal = list(self._domain.legal_actions(state))
        right = [action for action in legal if self._domain.check(state, action) >= 1.0]
        wrong = [action for action in legal if action not in right] or right
        is_right = self._draw("right", text) < self._accuracy
        choices = right if is_right else wrong
        action = choices[int(self._draw("which", text) * len(choices))]
        prompt_tokens = (len(self._domain.instructions) + len(text)) // CHARS_PER_TOKEN
        completion_tokens = 1 + len(self._domain.canonical(action)) // CHARS_PER_TOKEN
        usage = Usage(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=self._prices.cost(
                self._priced_as,
                prompt_tokens=prompt_tokens,
                cached_tokens=0,
                completion_tokens=completion_tokens,
                cpu_s=0.0,
            ),
        )
        return Prediction(
            agent=self.name, action=action, confidence=None, usage=usage, tier=self.tier
        )

    def _draw(self, purpose: str, text: str) -> float:
        """Return a uniform number in [0, 1) that only the seed and the text decide."""
        digest = hashlib.sha256(f"{self._seed}\0{purpose}\0{text}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64
