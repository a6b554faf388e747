"""Immutable bundles of released weights."""
