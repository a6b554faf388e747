"""A script for the loopback server: embeddings in the form of OpenAI's API."""

from __future__ import annotations

from tests.loopback import Reply, Request
from tests.support import LetterEmbedder


def letters(request: Request) -> Reply:
    """Answer like the API, with vectors that are not of unit length."""
    rows = LetterEmbedder().embed(request.body["input"]) * 3
    data = [
        {"object": "embedding", "index": number, "embedding": row.tolist()}
        for number, row in enumerate(rows)
    ]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return Reply(body={"object": "list", "data": data, "model": "letters", "usage": usage})
