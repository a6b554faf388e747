"""Every error that trimtab raises on purpose, in one tree.

::

    TrimtabError
    ├── ConfigError          a setting or an argument cannot be used
    │   ├── MissingExtra         an optional dependency is not installed
    │   └── PriceUnknown         the price table does not hold a model
    ├── InputError           a request or a data file cannot be used
    │   ├── IllegalAction        an action outside the legal ones
    │   └── UnknownDomain        no such domain is served
    ├── TruthUnknown         a domain cannot check this state
    ├── WorkerFailed         a task of an executor raised, died or took too long
    ├── EmbedderMissing      the weights of an embedder are not installed
    ├── RetrievalError       a corpus or an index cannot be used
    │   └── SourceError          a source of papers gave no usable answer
    ├── BundleError          a bundle is incomplete, altered or foreign
    ├── LedgerError          the ledger refuses a row or cannot be opened
    │   ├── LedgerTooNew         written by a newer trimtab
    │   └── LedgerCorrupt        the hash chain does not verify
    ├── SearchError          a tree search stopped before its budget; holds what it has so far
    │   ├── LeafFailed           the leaf function raised or ran out of time: go on later
    │   └── LeafInvalid          it returned what cannot be used: mend the leaf function
    └── LLMError             the LLM gave no usable answer
        ├── LLMUnavailable       retries are used up, or the breaker is open
        ├── ContextOverflow      the prompt does not fit; retrying cannot help
        ├── ParseError           the reply is not one of the legal actions
        ├── UsageMissing         the reply carries no token counts
        └── RecordingMissing     a replay holds no answer to this prompt
"""

from __future__ import annotations


class TrimtabError(Exception):
    """The root of the tree; catch it to catch all that trimtab raises on purpose."""


class ConfigError(TrimtabError):
    """A setting or an argument cannot be used; the message names field, value and remedy."""


class MissingExtra(ConfigError):
    """An optional dependency is not installed; the message holds the install line."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(
            f"{module} is not installed; run: python -m pip install 'trimtab[{extra}]'"
        )


class PriceUnknown(ConfigError):
    """The price table does not hold a model; a price is never taken to be 0."""


class InputError(TrimtabError):
    """A request or a data file cannot be used; the message names field, value and remedy."""


class IllegalAction(InputError):
    """An action that is not legal in the state; the message lists the legal ones."""


class UnknownDomain(InputError):
    """No domain of that name is served; the message lists those that are."""


class TruthUnknown(TrimtabError):
    """The domain knows no truth for this state."""


class WorkerFailed(TrimtabError):
    """A task of an executor raised, died or took too long; the message names the task."""


class EmbedderMissing(TrimtabError):
    """The weights of an embedder are not installed; the message holds the command."""


class RetrievalError(TrimtabError):
    """A corpus or an index cannot be opened or used; the message names it and the remedy."""


class SourceError(RetrievalError):
    """A source of papers gave no usable answer; what came before is kept."""


class BundleError(TrimtabError):
    """A bundle is incomplete, altered, or made for another domain."""


class LedgerError(TrimtabError):
    """The ledger refuses a row or cannot be opened."""


class LedgerTooNew(LedgerError):
    """The ledger was written by a newer trimtab; nothing was touched."""


class LedgerCorrupt(LedgerError):
    """The hash chain of the ledger does not verify; the message names the first bad row."""


class SearchError(TrimtabError):
    """A tree search stopped before its budget.

    Attributes:
        partial: the result of the simulations done, or None where there was none; the search
            object stays usable and can go on.
    """

    def __init__(self, message: str, *, partial: object | None = None) -> None:
        super().__init__(message)
        self.partial = partial


class LeafFailed(SearchError):
    """The leaf function raised or ran out of time; its own error is the cause."""


class LeafInvalid(SearchError):
    """The leaf function returned a wrong shape or a number that cannot be used."""


class LLMError(TrimtabError):
    """The LLM gave no usable answer."""


class LLMUnavailable(LLMError):
    """Retries are used up or the circuit breaker is open."""


class ContextOverflow(LLMError):
    """The prompt does not fit the model's context; retrying cannot help."""


class ParseError(LLMError):
    """The reply is not one of the legal actions; it is counted, never replaced by a default."""


class UsageMissing(LLMError):
    """The reply carries no token counts, so its price is unknown (set ``stream_usage=True``)."""


class RecordingMissing(LLMError):
    """A replay holds no answer to this prompt."""
