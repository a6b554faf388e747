"""Retrieval of labelled examples and passages."""
