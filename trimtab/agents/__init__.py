"""Agents that predict an action with a confidence, at a price."""
