"""Validates Kubernetes manifests offline, strictly: what the schemas do not know is refused.

usage: validate.py FILE.yaml [FILE.yaml ...]
       validate.py --same FILE.yaml RULES.yml

Needs the packages of requirements.txt beside it. Built-in kinds are held against the schemas that kubernetes-validate
carries. ServiceMonitor and PrometheusRule are custom resources whose schemas the package does not have: their keys are
held against the lists below, taken from the operator's documentation. With --same, the PrometheusRule of a manifest must
say what the rules file says. Prints one line a resource; ends with exit code 1 if one is wrong or of
a kind nobody here knows, 2 if there is nothing to validate.
"""

import sys

import kubernetes_validate
import yaml

SERVICE_MONITOR = {
    "apiVersion": None,
    "kind": None,
    "metadata": {"name": None, "labels": None},
    "spec": {
        "selector": {"matchLabels": None},
        "sampleLimit": None,
        "endpoints": [
            {
                "port": None,
                "path": None,
                "interval": None,
                "authorization": {"type": None, "credentials": {"name": None, "key": None}},
            }
        ],
    },
}

PROMETHEUS_RULE = {
    "apiVersion": None,
    "kind": None,
    "metadata": {"name": None, "labels": None},
    "spec": {
        "groups": [
            {
                "name": None,
                "rules": [
                    {"alert": None, "record": None, "expr": None, "for": None, "labels": None, "annotations": None}
                ],
            }
        ]
    },
}
CUSTOM = {"ServiceMonitor": SERVICE_MONITOR, "PrometheusRule": PROMETHEUS_RULE}


def unknown(value, shape, path=""):
    """Paths of what `shape` does not allow."""
    if shape is None:
        return
    if isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{path} is no list"
            return
        for index, item in enumerate(value):
            yield from unknown(item, shape[0], f"{path}/{index}")
    elif not isinstance(value, dict):
        yield f"{path} is no object"
    else:
        for key in value:
            if key in shape:
                yield from unknown(value[key], shape[key], f"{path}/{key}")
            else:
                yield f"{path}/{key} is unknown"


def problems(resource):
    if resource.get("apiVersion") == "monitoring.coreos.com/v1" and resource.get("kind") in CUSTOM:
        return list(unknown(resource, CUSTOM[resource["kind"]]))
    try:
        kubernetes_validate.validate(resource, "1.37", strict=True)
    except Exception as error:  # The package has one class for each way to be wrong.
        return [str(error).splitlines()[0]]
    return []


def same(file, rules):
    """Whether the spec of the PrometheusRule in `file` is the file `rules`."""
    with open(file, encoding="utf-8") as opened, open(rules, encoding="utf-8") as plain:
        spec = [resource["spec"] for resource in yaml.safe_load_all(opened) if resource["kind"] == "PrometheusRule"]
        return spec == [yaml.safe_load(plain)]


def main(files):
    if files[:1] == ["--same"]:
        equal = same(files[1], files[2])
        print("the same rules" if equal else f"{files[1]} and {files[2]} say different things")
        return 0 if equal else 1
    count, wrong = 0, 0
    for file in files:
        with open(file, encoding="utf-8") as opened:
            for resource in yaml.safe_load_all(opened):
                count += 1
                found = problems(resource)
                wrong += len(found)
                for problem in found:
                    print(f"{file}: {resource.get('kind')}: {problem}")
    if count == 0:
        print("no resources to validate", file=sys.stderr)
        return 2
    print(f"{count} resources, {wrong} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
