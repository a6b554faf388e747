"""Evaluation of decisions and the report."""
