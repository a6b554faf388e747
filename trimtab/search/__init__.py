"""Pure search core over numpy arrays."""
