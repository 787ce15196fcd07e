"""Signs requests as botocore does at given times and prints their Authorization headers as JSON.

Standard input holds a list of requests: method, url, body, contentType, time (YYYYMMDDThhmmssZ), the
credentials, region and service.
"""

import json
import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def sign(given):
    request = AWSRequest(
        method=given["method"],
        url=given["url"],
        data=given["body"],
        headers={"content-type": given["contentType"]},
    )
    credentials = Credentials(given["accessKeyId"], given["secretAccessKey"], given["sessionToken"])
    signer = SigV4Auth(credentials, given["service"], given["region"])
    # The steps of add_auth, at the given time.
    request.context["timestamp"] = given["time"]
    signer._modify_request_before_signing(request)
    canonical = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    signer._inject_signature_to_request(request, signature)
    return request.headers["Authorization"]


print(json.dumps([sign(given) for given in json.load(sys.stdin)]))
