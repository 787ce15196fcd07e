"""Prints an object of S3, read by the library named: with its own default chain's credentials.

Usage: read_object.py LIBRARY ENDPOINT BUCKET KEY
"""

import os
import sys

from paced import calls


def pyarrow(endpoint, bucket, key):
    from pyarrow import fs

    scheme, _, host = endpoint.partition("://")
    system = fs.S3FileSystem(endpoint_override=host, scheme=scheme)
    for _ in calls():
        with system.open_input_stream(f"{bucket}/{key}") as stream:
            text = stream.read().decode()
    return text


def obstore(endpoint, bucket, key):
    from obstore.store import S3Store

    store = S3Store(bucket, endpoint=endpoint, client_options={"allow_http": True})
    return bytes(store.get(key).bytes()).decode()


def polars(endpoint, bucket, key):
    import polars

    options = {"aws_endpoint_url": endpoint, "aws_allow_http": "true"}
    return polars.scan_csv(f"s3://{bucket}/{key}", storage_options=options).collect().write_csv()


def deltalake(endpoint, bucket, _key):
    from deltalake import DeltaTable

    options = {"aws_endpoint_url": endpoint, "aws_allow_http": "true"}
    return DeltaTable(f"s3://{bucket}/table", storage_options=options).metadata().description


def s3torchconnectorclient(endpoint, bucket, key):
    from s3torchconnectorclient._mountpoint_s3_client import MountpointS3Client

    client = MountpointS3Client(
        region=os.environ["AWS_REGION"], endpoint=endpoint, force_path_style=True)
    return b"".join(client.get_object(bucket, key)).decode()


library, *arguments = sys.argv[1:]
print(globals()[library](*arguments))
