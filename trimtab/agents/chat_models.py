"""Opens chat models: the one of the settings, the embedded one, a recorder or a recording.

Opening a model imports langchain-openai, which takes seconds; importing this module does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.agents.deadline import Deadline
from trimtab.agents.local_llm import local_server
from trimtab.errors import ConfigError
from trimtab.settings import Settings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

MAX_TOKENS = 128
"""Longest reply by default: a name of an action in JSON takes some twenty tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenChatModel:
    """A chat model ready to be asked; ``embedded`` tells whether it is the child process."""

    model: BaseChatModel
    model_id: str
    embedded: bool


@contextmanager
def open_chat_model(
    settings: Settings,
    *,
    max_tokens: int = MAX_TOKENS,
    record_to: Path | None = None,
    command: str = "",
) -> Iterator[OpenChatModel]:
    """Open the LLM of the settings, or the embedded one where none is set.

    Args:
        settings: ``OPENAI_API_KEY``, ``OPENAI_BASE_URL``, ``TRIMTAB_LLM_MODEL``, time limit.
        max_tokens: longest reply.
        record_to: new file to which every reply is recorded.
        command: the command line, kept in the recording's header.

    Raises:
        ConfigError: a setting is missing, or the embedded model is not installed.
        LLMUnavailable: the embedded model does not start.
    """
    with ExitStack() as stack:
        if settings.uses_embedded_llm:
            server = stack.enter_context(local_server(settings.home))
            model = stack.enter_context(
                _openai_model(settings, server.model, max_tokens=max_tokens, url=server.url)
            )
            model_id = server.model
        elif settings.llm_model is None:
            raise ConfigError("TRIMTAB_LLM_MODEL is not set; set it to the model to ask")
        else:
            model_id = settings.llm_model
            model = stack.enter_context(_openai_model(settings, model_id, max_tokens=max_tokens))
        if record_to is not None:
            from trimtab.agents.replay import RecordingChatModel

            model = RecordingChatModel.create(model, record_to, model_id=model_id, command=command)
        yield OpenChatModel(model=model, model_id=model_id, embedded=settings.uses_embedded_llm)


def open_recording(path: Path) -> OpenChatModel:
    """Return the player of a recording; raises as :meth:`ReplayChatModel.load` does."""
    from trimtab.agents.replay import ReplayChatModel

    model = ReplayChatModel.load(path)
    return OpenChatModel(model=model, model_id=model.header.model_id, embedded=False)


@contextmanager
def _openai_model(
    settings: Settings, model_id: str, *, max_tokens: int, url: str | None = None
) -> Iterator[BaseChatModel]:
    """Open a client; ``url`` is the child's address, otherwise the settings name the server."""
    import openai
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    hooks: dict[str, list[Callable[..., object]]] = {"response": [Deadline(settings.llm_timeout_s)]}
    # a proxy of the environment must not stand between us and our own child
    with openai.DefaultHttpxClient(trust_env=url is None, event_hooks=hooks) as http_client:
        yield ChatOpenAI(
            model=model_id,
            base_url=url or settings.openai_base_url,
            # a local server wants none, and the client refuses to start without one
            api_key=SecretStr((None if url else settings.openai_api_key) or "not-needed"),
            timeout=settings.llm_timeout_s,
            max_retries=0,  # the retry policy of the agent is the only one
            temperature=0.0,
            seed=0,
            max_completion_tokens=max_tokens,
            use_responses_api=False,
            http_client=http_client,
        )
