"""Prints the credentials that boto3's default chain finds, as JSON, and where it found them."""

import json

import boto3

credentials = boto3.Session(region_name="us-east-1").get_credentials()
frozen = credentials.get_frozen_credentials()
print(json.dumps({
    "accessKeyId": frozen.access_key,
    "secretAccessKey": frozen.secret_key,
    "sessionToken": frozen.token,
    "method": credentials.method,
}))
