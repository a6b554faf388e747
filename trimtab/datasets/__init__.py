"""Labelled examples and how they are split."""
