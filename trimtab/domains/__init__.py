"""Rules, checkers and text forms of decision domains."""
