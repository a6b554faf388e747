"""Training of the nets from labelled examples."""
