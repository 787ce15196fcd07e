"""Signs a request as botocore does and prints its headers as JSON.

Standard input holds method, url, body, the credentials, region and service.
"""

import json
import sys

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

given = json.load(sys.stdin)
request = AWSRequest(
    method=given["method"],
    url=given["url"],
    data=given["body"],
    headers={"content-type": "application/x-www-form-urlencoded"},
)
credentials = Credentials(given["accessKeyId"], given["secretAccessKey"], given["sessionToken"])
sign = S3SigV4Auth if given["service"] == "s3" else SigV4Auth
sign(credentials, given["service"], given["region"]).add_auth(request)
print(json.dumps(dict(request.headers.items())))
