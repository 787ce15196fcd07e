"""Prints, as JSON, where botocore would send a call, and the CA bundle it would use.

Usage: resolve_settings.py rolesanywhere|sts
"""

import json
import sys

import botocore.session
from botocore.exceptions import BotoCoreError


class Stop(Exception):
    pass


sent = {}


def before_send(request, **_):
    sent["url"] = request.url
    raise Stop


try:
    session = botocore.session.get_session()
    client = session.create_client(
        sys.argv[1],
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="secret",
        verify=False,  # a bundle that does not exist would fail here
    )
    client.meta.events.register("before-send", before_send)
    try:
        client.get_caller_identity() if sys.argv[1] == "sts" else client.list_profiles()
    except Stop:
        pass
    print(json.dumps({"url": sent["url"], "bundle": session.get_config_variable("ca_bundle")}))
except BotoCoreError as error:
    print(json.dumps({"error": type(error).__name__}))
