"""Makes two roles in moto, of which one may assume the other with an external ID, or prints the ARN of a session's caller.

Usage: moto_roles.py URL roles|caller; `caller` reads the session from standard input.
"""

import json
import sys

import boto3

url, action = sys.argv[1:]


def client(service, **credentials):
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", **credentials)


if action == "caller":
    session = json.load(sys.stdin)
    caller = client(
        "sts",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    print(json.dumps(caller.get_caller_identity()["Arn"]))
    sys.exit()

iam = client("iam", aws_access_key_id="setup", aws_secret_access_key="setup")

def policy(**statement):
    return json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", **statement}],
    })


def create(name, principal, **more):
    trust = policy(Principal={"AWS": principal}, **more)
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]


middle = create("middle", "*")
session = middle.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/a+b"
needs_id = {"StringEquals": {"sts:ExternalId": "id/+=:@"}}
last = create("last", session, Condition=needs_id)
iam.put_role_policy(RoleName="middle", PolicyName="p", PolicyDocument=policy(Resource=last))
print(json.dumps({"middle": middle, "last": last}))
