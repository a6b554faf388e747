"""The client, the service and the factories for Studio."""
