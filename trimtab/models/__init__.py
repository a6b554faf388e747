"""Torch nets: shapes, not domains."""
