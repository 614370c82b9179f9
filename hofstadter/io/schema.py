"""The JSON schema of run files, for editors that complete and check YAML."""

from typing import Any

from hofstadter.io.config import Numerics, Output
from hofstadter.io.model_section import model_schemas
from hofstadter.tasks._task import Section
from hofstadter.tasks.registry import TASKS


def json_schema() -> dict[str, Any]:
    """One schema for all models and tasks (JSON Schema, draft 2020-12)."""
    definitions: dict[str, Any] = {}

    def add(key: str, section: type[Section], name: str = "") -> dict[str, str]:
        schema = section.model_json_schema()
        definitions.update(schema.pop("$defs", {}))
        if name:
            schema["properties"] = {"name": {"const": name}, **schema["properties"]}
            schema["required"] = ["name", *schema.get("required", [])]
        definitions[key] = schema
        return {"$ref": f"#/$defs/{key}"}

    models = [add(f"model_{name}", section) for name, section in model_schemas().items()]
    tasks = [add(f"task_{name}", task.parameters, name) for name, task in TASKS.items()]
    values = {"type": "array", "items": {"type": "number"}, "minItems": 1}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "hofstadter run file",
        "type": "object",
        "additionalProperties": False,
        "required": ["model", "task", "output"],
        "properties": {
            "model": {"oneOf": models},
            "task": {"oneOf": tasks},
            "sweep": {
                "type": "object",
                "minProperties": 1,
                "patternProperties": {r"^(model|task)\.": values},
                "additionalProperties": False,
            },
            "numerics": add("numerics", Numerics),
            "output": add("output", Output),
        },
        "$defs": definitions,
    }
