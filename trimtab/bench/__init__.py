"""One module a benchmark: data in, one JSON object out."""
