"""Asks STS who the caller is, with the credentials that aiobotocore's default chain finds."""

import asyncio

from aiobotocore.session import get_session


async def main():
    async with get_session().create_client("sts") as client:
        print((await client.get_caller_identity())["Arn"])


asyncio.run(main())
