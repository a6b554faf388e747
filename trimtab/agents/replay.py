"""Records what a chat model answers, and plays it back as a chat model.

A recording is JSON Lines: a header (model id, command, time of the recording), then one line per
reply with the sha256 of its question, the whole message (tokens and log-probabilities included)
and its latency. The question's hash covers the messages and every bound parameter, so that a
changed prompt is a question without a recording: an error, never a guess.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, messages_from_dict, messages_to_dict
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from pydantic import BaseModel, ConfigDict, PrivateAttr

from trimtab.agents.replies import RECORDED_LATENCY
from trimtab.errors import ConfigError, InputError, RecordingMissing

SCHEMA = "trimtab.recording/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Where a recording comes from."""

    model_id: str
    command: str
    created_at: datetime


class StructuredChatModel(BaseChatModel):
    """A chat model whose structured output works as that of ``ChatOpenAI`` does.

    The schema travels to ``_generate`` as the bound parameter ``response_format``.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type[BaseModel],
        *,
        include_raw: bool = False,
        method: str = "json_schema",
        **kwargs: Any,  # noqa: ANN401 - the signature of BaseChatModel
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Return a model that replies under a JSON schema; only ``method="json_schema"``."""
        if method != "json_schema" or not isinstance(schema, dict):
            raise ConfigError(
                f"with_structured_output(method={method!r}) with a schema of type "
                f"{type(schema).__name__} cannot be recorded; use method='json_schema' and a dict"
            )
        named = {"name": schema["title"]}
        if "description" in schema:
            named["description"] = schema["description"]
        body = {key: schema[key] for key in schema if key not in ("title", "description")}
        response_format = {
            "type": "json_schema",
            "json_schema": {**named, "schema": body, **kwargs},
        }
        reply = self.bind(response_format=response_format)
        if not include_raw:
            structured: Runnable[LanguageModelInput, Any] = reply | JsonOutputParser()
            return structured
        parse = RunnablePassthrough.assign(
            parsed=itemgetter("raw") | JsonOutputParser(), parsing_error=lambda _: None
        )
        give_up = RunnablePassthrough.assign(parsed=lambda _: None)
        with_raw: Runnable[LanguageModelInput, Any] = RunnableMap(raw=reply) | parse.with_fallbacks(
            [give_up], exception_key="parsing_error"
        )
        return with_raw


class RecordingChatModel(StructuredChatModel):
    """Passes questions to another model and appends every reply to a file; thread-safe.

    A reply is on disk before the caller sees it. What raises is not recorded.
    """

    inner: BaseChatModel
    path: Path
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @classmethod
    def create(
        cls, inner: BaseChatModel, path: Path, *, model_id: str, command: str
    ) -> RecordingChatModel:
        """Return a recorder that has written the header of a new file.

        Raises:
            ConfigError: the file exists or cannot be written.
        """
        header = {
            "schema": SCHEMA,
            "model_id": model_id,
            "command": command,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if path.exists():
            raise ConfigError(f"the recording {path} exists; name another file or delete it")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(_line(header))
        except OSError as error:
            raise ConfigError(f"the recording {path} cannot be written: {error}") from error
        return cls(inner=inner, path=path)

    @property
    def _llm_type(self) -> str:
        return "trimtab-recording"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401 - the signature of BaseChatModel
    ) -> ChatResult:
        started = time.perf_counter()
        message = self.inner.bind(**_with_stop(stop, kwargs)).invoke(messages)
        entry = {
            "question": question_hash(messages, stop=stop, parameters=kwargs),
            "asked": str(messages[-1].content),
            "message": messages_to_dict([message])[0]["data"],
            "latency_s": round(time.perf_counter() - started, 6),
        }
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(_line(entry))
        return ChatResult(generations=[ChatGeneration(message=message)])


class ReplayChatModel(StructuredChatModel):
    """Answers with the replies of a recording; a question that was not recorded is an error.

    A question recorded several times is answered with its first reply. Thread-safe: read-only.
    """

    path: Path
    header: Header
    replies: Mapping[str, AIMessage]

    @classmethod
    def load(cls, path: Path) -> ReplayChatModel:
        """Return the player of a recording.

        Raises:
            ConfigError: the file cannot be read.
            InputError: a line is not what a recorder writes; names the line.
        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the recording {path} cannot be read: {error}") from error
        if not lines:
            raise InputError(f"the recording {path} is empty; record it again: trimtab record")
        replies: dict[str, AIMessage] = {}
        for number, line in enumerate(lines[1:], start=2):
            question, message = _read_reply(line, where=f"{path}, line {number}")
            replies.setdefault(question, message)
        header = _read_header(lines[0], where=f"{path}, line 1")
        return cls(path=path, header=header, replies=replies)

    @property
    def _llm_type(self) -> str:
        return "trimtab-replay"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,  # noqa: ANN401 - the signature of BaseChatModel
    ) -> ChatResult:
        question = question_hash(messages, stop=stop, parameters=kwargs)
        message = self.replies.get(question)
        if message is None:
            raise RecordingMissing(
                f"{self.path} holds no reply to question {question[:12]} "
                f"({str(messages[-1].content)[:80]!r}); record it again: trimtab record"
            )
        return ChatResult(generations=[ChatGeneration(message=message.model_copy(deep=True))])


def question_hash(
    messages: list[BaseMessage], *, stop: list[str] | None, parameters: Mapping[str, Any]
) -> str:
    """Return the sha256 of a question: messages, stop words and bound parameters.

    Parameters that only inform a tracer (``ls_…``) do not count.
    """
    sent = {k: v for k, v in parameters.items() if not k.startswith("ls_") and v is not None}
    question = {
        "messages": [[message.type, message.content] for message in messages],
        "parameters": _with_stop(stop, sent),
    }
    text = json.dumps(question, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _with_stop(stop: list[str] | None, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return dict(parameters) if stop is None else {**parameters, "stop": stop}


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n"


def _read_header(line: str, *, where: str) -> Header:
    try:
        plain = json.loads(line)
        if plain["schema"] != SCHEMA:
            raise InputError(f"{where}: schema is {plain['schema']!r}; this reads {SCHEMA!r}")
        return Header(
            model_id=plain["model_id"],
            command=plain["command"],
            created_at=datetime.fromisoformat(plain["created_at"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{where} is no header of a recording: {error!r}") from error


def _read_reply(line: str, *, where: str) -> tuple[str, AIMessage]:
    try:
        plain = json.loads(line)
        question: str = plain["question"]
        message = messages_from_dict([{"type": "ai", "data": plain["message"]}])[0]
        latency_s = float(plain["latency_s"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{where} is no reply of a recording: {error!r}") from error
    if not isinstance(message, AIMessage):
        raise InputError(f"{where}: the message is of type {message.type!r}, not 'ai'")
    message.response_metadata[RECORDED_LATENCY] = latency_s
    return question, message
