"""Paces the calls of a client: CALLS of them (default 1), SECONDS_BETWEEN apart."""

import os
import time


def calls():
    """Yields once for each call."""
    for call in range(int(os.environ.get("CALLS", "1"))):
        if call > 0:
            time.sleep(float(os.environ["SECONDS_BETWEEN"]))
        yield call
