"""Write the table of all configuration keys into config/README.md, from the schema that checks them.

Run it after a change of the schema: .venv/bin/python workflow/schemas/describe.py
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from brainmri.artefacts import write_text
from brainmri.texts import resolved

ROOT = Path(__file__).parents[2]
README = ROOT / "config" / "README.md"
BEGIN, END = "<!-- begin of the table of keys -->\n", "<!-- end of the table of keys -->\n"


def rows(schema: dict, root: dict, place: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield place, default, allowed values and description of every key, depth first."""
    required = schema.get("required", [])
    for key, value in schema.get("properties", {}).items():
        value = resolved(value, root)
        here = f"{place}{key}"
        default = (
            "**required**"
            if key in required
            else f"`{json.dumps(value['default'])}`"
            if "default" in value
            else ""
        )
        # A section's own default ({}) says nothing that its keys do not say.
        default = "" if default == "`{}`" else default
        yield here, default, allowed(value), value.get("description", "")
        yield from rows(value, root, f"{here}.")
        for branch in value.get("oneOf", []):
            yield from rows(resolved(branch, root), root, f"{here}.")
        if isinstance(value.get("additionalProperties"), dict):
            yield from rows(resolved(value["additionalProperties"], root), root, f"{here}.*name*.")
        if "items" in value:
            yield from rows(resolved(value["items"], root), root, f"{here}.*n*.")


def allowed(schema: dict) -> str:
    """Say in words which values a schema allows."""
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(item).strip(chr(34))}`" for item in schema["enum"])
    if "oneOf" in schema:
        return " or ".join(filter(None, (allowed(branch) for branch in schema["oneOf"])))
    types = schema.get("type", [])
    words = " or ".join([types] if isinstance(types, str) else types)
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = " and ".join(f"{sign} {schema[key]}" for key, sign in bounds.items() if key in schema)
    return f"{words} {limits}".strip()


def table() -> str:
    """Return the table in Markdown."""
    schema = yaml.safe_load((Path(__file__).parent / "config.schema.yaml").read_text(encoding="utf-8"))
    lines = ["| key | default | allowed | what it does |", "|---|---|---|---|"]
    for place, default, values, description in rows(schema, schema):
        parents, _, key = place.rpartition(".")
        name = f"{parents}.`{key}`" if parents else f"`{key}`"
        lines.append(f"| {name} | {default} | {values.replace('|', chr(92) + '|')} | {description} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Rewrite the table; with --check tell whether it was up to date."""
    before = README.read_text(encoding="utf-8")
    head, rest = before.split(BEGIN)
    after = head + BEGIN + table() + END + rest.split(END)[1]
    if "--check" in sys.argv:
        return int(before != after)
    write_text(after, README)
    return 0


if __name__ == "__main__":
    sys.exit(main())
