"""LangGraph graphs and their nodes."""
