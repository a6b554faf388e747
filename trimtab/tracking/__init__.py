"""Trackers of training runs behind one protocol."""
