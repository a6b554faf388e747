"""A simulated expert for the research set: a loopback server that speaks for an LLM.

It knows the gold. Where it is drawn to be right it answers with those gold sentences that stand in
the passages it was sent, or says that they do not answer. Where not, it changes the numbers of a
claim or says something else that a passage holds, also where there is no answer. The client, the
prompts, the check of its citations and the bill are the real ones, and tokens are counted as four
characters each. What it shows is what the graph makes of such an expert, not how good any LLM is.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from trimtab.agents.research_llm import PLAN_SCHEMA
from trimtab.bench.experts import PRICED_AS
from trimtab.datasets.research import ResearchQuestion
from trimtab.rag.papers import Paper
from trimtab.settings import Settings

_PASSAGE = re.compile(r'<passage id="([^"#]+)(#\d+)">\n(.*?)\n</passage>', re.DOTALL)
_QUESTION = re.compile(r"<question>\n(.*)\n</question>", re.DOTALL)
_SENTENCE = re.compile(r".+?[.!?](?=\s|$)", re.DOTALL)
_CHARS_PER_TOKEN = 4


class GoldExpert:
    """Writes the replies; thread-safe, and one answer for one prompt whatever came before.

    Args:
        questions: those that it will be asked.
        papers: the corpus by id.
        accuracy: share of questions that it answers rightly.
        seed: of the draws, one per question.
    """

    def __init__(
        self,
        questions: Sequence[ResearchQuestion],
        papers: dict[str, Paper],
        *,
        accuracy: float,
        seed: int,
    ) -> None:
        draws = np.random.default_rng(seed).random(len(questions))
        self._papers = papers
        self._known = {
            row.question: (row, bool(draw < accuracy))
            for row, draw in zip(questions, draws, strict=True)
        }

    def reply(self, prompt: str) -> dict[str, Any]:
        """Return the reply to a prompt of passages and a question (``agents.research_llm``)."""
        asked = _QUESTION.search(prompt)
        question, right = self._known[asked[1] if asked else ""]
        passages = {name: (name + part, text) for name, part, text in _PASSAGE.findall(prompt)}
        claims = [
            {"text": text, "passages": [passages[name][0]]}
            for name, text in self._gold(question)
            if name in passages
        ]
        if right:
            return {"answerable": bool(claims), "claims": claims}
        return {"answerable": True, "claims": _wrong(claims, list(passages.values()))}

    def plan(self, prompt: str) -> dict[str, Any]:
        """Return the plan that asks the question as it is, with one search."""
        asked = _QUESTION.search(prompt)
        goal = asked[1] if asked else ""
        return {"plan": [{"id": "q1", "goal": goal, "needs": [], "tool": "search"}]}

    def _gold(self, question: ResearchQuestion) -> Iterator[tuple[str, str]]:
        for gold in question.gold:
            paper = self._papers[gold.arxiv_id]
            for text in gold.sentences:
                yield gold.arxiv_id, text
            if "authors" in gold.fields and paper.authors:
                yield gold.arxiv_id, f"“{paper.title}” is by {', '.join(paper.authors)}."
            if "published" in gold.fields:
                yield gold.arxiv_id, f"“{paper.title}” appeared on {paper.published}."
            if "categories" in gold.fields and paper.categories:
                listed = ", ".join(paper.categories)
                yield gold.arxiv_id, f"“{paper.title}” is filed under {listed}."


@contextmanager
def serving(expert: GoldExpert, settings: Settings) -> Iterator[Settings]:
    """Serve an expert on a free port of loopback; yields settings whose LLM it is."""

    class Handler(_Handler):
        answers = expert

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield replace(
            settings,
            openai_base_url=f"http://127.0.0.1:{server.server_address[1]}/v1",
            openai_api_key="simulated",
            llm_model=PRICED_AS,
        )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _wrong(claims: Sequence[dict[str, Any]], passages: Sequence[tuple[str, str]]) -> list[Any]:
    """Return the claims with each number raised by one, or else what a passage happens to say."""
    raised = [
        {**claim, "text": re.sub(r"\d+", lambda found: str(int(found[0]) + 1), claim["text"])}
        for claim in claims
        if any(letter.isdigit() for letter in claim["text"])
    ]
    said = {claim["text"] for claim in claims}
    return raised or [
        {"text": text.strip(), "passages": [name]}
        for name, passage in passages[:1]
        for text in _SENTENCE.findall(passage.split("\n", 2)[-1])[:2]
        if text.strip() not in said
    ]


class _Handler(BaseHTTPRequestHandler):
    """Speaks the part of the protocol that a chat client needs."""

    answers: GoldExpert

    def do_POST(self) -> None:
        """Answer one chat completion."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = "\n".join(str(message["content"]) for message in body["messages"])
        planning = body["response_format"]["json_schema"]["name"] == PLAN_SCHEMA["title"]
        reply = self.answers.plan(prompt) if planning else self.answers.reply(prompt)
        content = json.dumps(reply, ensure_ascii=False)
        sent, written = len(prompt) // _CHARS_PER_TOKEN, len(content) // _CHARS_PER_TOKEN
        plain = {
            "id": "simulated",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": content},
                }
            ],
            "usage": {
                "prompt_tokens": sent,
                "completion_tokens": written,
                "total_tokens": sent + written,
            },
        }
        payload = json.dumps(plain).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        """Say nothing: requests are no news."""
