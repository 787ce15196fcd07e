"""Prints the endpoints of a service by botocore's rules as JSON, by region and settings.

Usage: resolve_endpoints.py SERVICE REGION...
"""

import json
import sys

import botocore.session
from botocore.endpoint_provider import EndpointProvider

service, *regions = sys.argv[1:]
loader = botocore.session.get_session().get_component("data_loader")
provider = EndpointProvider(
    loader.load_service_model(service, "endpoint-rule-set-1"), loader.load_data("partitions")
)
more = {"UseGlobalEndpoint": False} if service == "sts" else {}
print(json.dumps([
    {
        "region": region,
        "useFips": fips,
        "useDualStack": dual,
        "url": provider.resolve_endpoint(
            Region=region, UseFIPS=fips, UseDualStack=dual, **more
        ).url,
    }
    for region in regions
    for fips in (False, True)
    for dual in (False, True)
]))
