"""The command line: typer commands that wire everything."""
