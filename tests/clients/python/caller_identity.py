"""Asks STS who the caller is, with the credentials that boto3's default chain finds.

Prints account, ARN and user id, separated by tabs, as `aws sts get-caller-identity --output text`
does.
"""

import boto3

from paced import calls

client = boto3.client("sts")
for _ in calls():
    identity = client.get_caller_identity()
    print(identity["Account"], identity["Arn"], identity["UserId"], sep="\t")
