"""Reads a dashboard with Grafana's own model, writes it again, and prints what was lost on the way."""

import json
import sys

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def differences(given, read, path=""):
    if isinstance(given, dict) and isinstance(read, dict):
        for key, value in given.items():
            if key in read:
                yield from differences(value, read[key], f"{path}/{key}")
            else:
                yield f"{path}/{key}"
    elif isinstance(given, list) and isinstance(read, list) and len(given) == len(read):
        for i, (a, b) in enumerate(zip(given, read)):
            yield from differences(a, b, f"{path}/{i}")
    elif given != read:
        yield path


register_default_plugins()
given = json.load(sys.stdin)
read = json.loads(JSONEncoder().encode(Dashboard.from_json(given)))
print(json.dumps(list(differences(given, read))))
