"""Asks STS who the caller is, signed by AWS's Common Runtime with its default chain's credentials.

Prints the response.
"""

import io
import os
import sys
import urllib.error
import urllib.request

from awscrt.auth import (
    AwsCredentialsProvider,
    AwsSigningAlgorithm,
    AwsSigningConfig,
    aws_sign_request,
)
from awscrt.http import HttpHeaders, HttpRequest
from awscrt.io import ClientBootstrap

from paced import calls

ENDPOINT = os.environ["AWS_ENDPOINT_URL_STS"]
BODY = b"Action=GetCallerIdentity&Version=2011-06-15"

provider = AwsCredentialsProvider.new_default_chain(ClientBootstrap.get_or_create_static_default())


def signed_headers():
    headers = HttpHeaders([
        ("Host", ENDPOINT.partition("//")[2]),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", str(len(BODY))),
    ])
    config = AwsSigningConfig(
        algorithm=AwsSigningAlgorithm.V4,
        credentials_provider=provider,
        region=os.environ["AWS_REGION"],
        service="sts",
    )
    request = HttpRequest("POST", "/", headers, io.BytesIO(BODY))
    return dict(aws_sign_request(request, config).result(30).headers)


for _ in calls():
    request = urllib.request.Request(ENDPOINT + "/", BODY, signed_headers())
    try:
        print(urllib.request.urlopen(request, timeout=30).read().decode())
    except urllib.error.HTTPError as error:
        sys.exit(error.read().decode())
