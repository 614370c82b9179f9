"""`hofstadter schema`: the JSON schema of run files."""

import json

import typer


def schema() -> None:
    """Print the JSON schema of run files, for editors that complete and check YAML."""
    from hofstadter.io.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
