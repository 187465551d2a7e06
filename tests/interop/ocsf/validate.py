"""Validates findings, one JSON object a line, with two independent OCSF validators.

usage: validate.py FILE.ndjson [FILE.ndjson ...]

Needs the packages of requirements.txt beside it; crates/findings/golden/findings.ndjson holds every kind of finding.

Prints every error as `file:line: validator: path: message` and ends with exit code 1 if there was one, 2 on wrong
usage or a file without a single line. Each validator misses what the other catches:

* ocsf-json-schema compiles the class's JSON Schema of the event's own version and profiles. It refuses unknown
  fields and wrong types, and knows nothing of captions.
* pydantic-ocsf compares captions with ids (`severity` with `severity_id`) and type_uid with class and activity. It
  knows OCSF up to 1.7.0, so it is given a copy whose metadata.version is the newest it knows; the classes a finding
  uses did not change their meaning between 1.7.0 and 1.8.0.

What neither looks at is checked here: type_uid = class_uid * 100 + activity_id, captions by the compiled schema, a
time in milliseconds, observables whose name leads to the value they give, and no field the schema calls deprecated.
"""

import copy
import json
import re
import sys

import jsonschema
from ocsf.v1_7_0.events import DetectionFinding
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from pydantic import ValidationError

NEWEST_OF_PYDANTIC = "1.7.0"
YEAR_2000_MS, YEAR_2100_MS = 946_684_800_000, 4_102_444_800_000


def no_duplicates(pairs):
    keys = [key for key, _ in pairs]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise ValueError(f"duplicate keys {sorted(twice)}")
    return dict(pairs)


class Compiled:
    """Schemas by version, and validators by version and profiles, compiled once."""

    def __init__(self):
        self.raw, self.validators = {}, {}

    def schema(self, version):
        if version not in self.raw:
            self.raw[version] = get_ocsf_schema(version=version)
        return self.raw[version]

    def validator(self, version, profiles):
        key = (version, tuple(profiles))
        if key not in self.validators:
            embedded = OcsfJsonSchemaEmbedded(self.schema(version))
            schema = embedded.get_class_schema(class_name="detection_finding", profiles=list(profiles))
            self.validators[key] = jsonschema.Draft202012Validator(schema)
        return self.validators[key]


def by_json_schema(compiled, event):
    metadata = event.get("metadata", {})
    validator = compiled.validator(metadata.get("version", "1.8.0"), metadata.get("profiles", []))
    for error in sorted(validator.iter_errors(event), key=lambda e: list(map(str, e.path))):
        yield "/".join(map(str, error.path)) or ".", error.message


def by_pydantic(event):
    mapped = copy.deepcopy(event)
    mapped.setdefault("metadata", {})["version"] = NEWEST_OF_PYDANTIC
    try:
        DetectionFinding.model_validate(mapped)
    except ValidationError as error:
        for problem in error.errors():
            yield "/".join(map(str, problem["loc"])) or ".", problem["msg"]


def captions(schema, attributes, value, path):
    """Every `x` beside an `x_id` must be the enum's caption; recurses into objects."""
    for name, attribute in attributes.items():
        if name not in value:
            continue
        here = f"{path}/{name}" if path else name
        if "@deprecated" in attribute:
            yield here, f"deprecated: {attribute['@deprecated'].get('message')}"
        sibling, enum = attribute.get("sibling"), attribute.get("enum")
        if sibling and enum and sibling in value and value[name] != 99:
            caption = enum.get(str(value[name]), {}).get("caption")
            if value[sibling] != caption:
                yield f"{path}/{sibling}" if path else sibling, f"{value[sibling]!r} is not {caption!r}"
        if attribute.get("type") == "object_t" and attribute.get("object_type") != "object":
            inner = schema["objects"][attribute["object_type"]]["attributes"]
            parts = value[name] if attribute.get("is_array") else [value[name]]
            for index, part in enumerate(parts):
                if isinstance(part, dict):
                    step = f"{here}/{index}" if attribute.get("is_array") else here
                    yield from captions(schema, inner, part, step)


def follow(event, path):
    value = event
    for step in re.findall(r"[a-z_]+|\d+", path):
        value = value[int(step)] if step.isdigit() else value[step]
    return value


def by_hand(compiled, event):
    if event.get("type_uid") != event.get("class_uid", 0) * 100 + event.get("activity_id", 0):
        yield "type_uid", "is not class_uid * 100 + activity_id"
    time = event.get("time")
    if not isinstance(time, int) or not YEAR_2000_MS <= time < YEAR_2100_MS:
        yield "time", f"{time} is not in milliseconds of the years 2000 to 2100"
    schema = compiled.schema(event.get("metadata", {}).get("version", "1.8.0"))
    yield from captions(schema, schema["classes"]["detection_finding"]["attributes"], event, "")
    for index, observable in enumerate(event.get("observables", [])):
        try:
            found = follow(event, observable["name"])
        except (KeyError, IndexError, TypeError):
            found = None
        if found != observable.get("value"):
            yield f"observables/{index}", f"{observable['name']} leads to {found!r}"


def check(compiled, line):
    try:
        event = json.loads(line, object_pairs_hook=no_duplicates)
    except ValueError as error:
        yield "json", ".", str(error)
        return
    for name, errors in (
        ("ocsf-json-schema", by_json_schema(compiled, event)),
        ("pydantic-ocsf", by_pydantic(event)),
        ("by hand", by_hand(compiled, event)),
    ):
        for path, message in errors:
            yield name, path, message


def main(files):
    if not files:
        print(__doc__.strip().splitlines()[2], file=sys.stderr)
        return 2
    compiled, problems, lines = Compiled(), 0, 0
    for file in files:
        with open(file, encoding="utf-8") as opened:
            for number, line in enumerate(opened, start=1):
                if not line.strip():
                    continue
                lines += 1
                for validator, path, message in check(compiled, line):
                    problems += 1
                    print(f"{file}:{number}: {validator}: {path}: {message}")
    if lines == 0:
        print("no findings to validate", file=sys.stderr)
        return 2
    print(f"{lines} findings, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
