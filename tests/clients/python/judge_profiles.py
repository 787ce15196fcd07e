"""Judges credentials files that had a profile written into them, by how botocore reads them.

Usage: judge_profiles.py FILE, whose lines are JSON: before and after (base64; after is null when the
file was refused), profile, name (the profile's), keys (what must be read). Prints as JSON how many
files were judged in which way, and every problem found.
"""

import base64
import collections
import configparser
import json
import os
import re
import sys
import tempfile

import botocore.configloader
import botocore.credentials
import botocore.exceptions

OWN = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
OLD_TOKEN = "aws_security_token"
LINE_END = re.compile(b"\r\n|\r|\n")

counts = collections.Counter()
problems = []


def by_botocore(path):
    try:
        return botocore.configloader.raw_config_parse(path)
    except botocore.exceptions.ConfigParseError:
        return None


def leniently(content):
    """Reads like SDKs that accept repetitions and a byte order mark: the last value counts."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(re.sub("\r\n?", "\n", content.decode("utf-8-sig")))
    except configparser.MissingSectionHeaderError:
        return None, None
    except configparser.ParsingError:
        pass  # stray lines; everything else has been read
    return {name: dict(parser.items(name)) for name in parser.sections()}, parser.defaults()


def check(case, what, expected, found):
    if expected != found:
        problems.append({"case": case["number"], "what": what, "expected": expected, "found": found})


def compare(case, before, after, reader):
    """Every other profile reads as before, and every other key of this one."""
    profile, keys = case["profile"], case["keys"]
    others = lambda parsed: {name: values for name, values in parsed.items() if name != profile}
    check(case, f"other profiles, by {reader}", others(before), others(after))
    mine = after.get(profile, {})
    check(case, f"keys, by {reader}", keys, {key: mine.get(key) for key in OWN})
    if OLD_TOKEN in mine:
        check(case, f"the old token, by {reader}", keys["aws_session_token"], mine[OLD_TOKEN])
    rest = lambda values: {k: v for k, v in values.items() if k not in (*OWN, OLD_TOKEN)}
    if profile in before:
        check(case, f"other keys, by {reader}", rest(before[profile]), rest(mine))


def read_as_sdk(case, path):
    provider = botocore.credentials.SharedCredentialProvider(path, case["profile"])
    credentials = provider.load()
    check(case, "botocore's credentials", [case["keys"][key] for key in OWN],
          [credentials.access_key, credentials.secret_key, credentials.token])


def compare_bytes(case, before, after, had, defaults):
    """If the file had none of our keys, removing them returns the original bytes."""
    settings = [f"{key} = {case['keys'][key]}".encode() for key in OWN]
    if OLD_TOKEN in defaults:  # which every profile has, that has no other
        settings.append(f"{OLD_TOKEN} = {case['keys']['aws_session_token']}".encode())
    if case["profile"] not in had:
        counts["appended"] += 1
        check(case, "the beginning", True, after.startswith(before))
        ends = LINE_END.findall(before)
        end = re.escape(ends[-1] if ends else b"\n")
        header = re.escape(f"[{case['profile']}]".encode())
        added = b"(?:%s){0,2}%s%s(?:%s)?" % (
            end, header, b"".join(end + re.escape(line) for line in settings), end)
        check(case, "the new section", True, re.fullmatch(added, after[len(before):]) is not None)
        if before not in (b"", b"\xef\xbb\xbf"):
            check(case, "the last line end", bool(re.search(rb"[\r\n]\Z", before)),
                  bool(re.search(rb"[\r\n]\Z", after)))
    elif not set(had[case["profile"]]) & {*OWN, OLD_TOKEN}:
        counts["inserted"] += 1
        line_start = rb"(?:\r\n|\r|\n)(?:[ \t]|\xc2\xa0)*"
        pattern = b"".join(line_start + re.escape(line) for line in settings)
        removed, times = re.subn(pattern, b"", after)
        check(case, "our lines are there once", 1, times)
        check(case, "the bytes without our lines", True, removed == before)
    else:
        counts["replaced"] += 1


def judge(case, directory):
    before = base64.b64decode(case["before"])
    had, defaults = leniently(before)
    if had is None:
        counts["unreadable"] += 1
        return
    if case["after"] is None:
        counts["refused"] += 1
        check(case, "a refused file has an indented setting", True,
              re.search(rb"[\r\n](?:[ \t]|\xc2\xa0)+[\w\[]", before) is not None)
        return
    after = base64.b64decode(case["after"])
    paths = [os.path.join(directory, name) for name in ("before", "after")]
    for path, content in zip(paths, (before, after)):
        with open(path, "wb") as file:
            file.write(content)
    parsed = [by_botocore(path) for path in paths]
    if parsed[0] is not None:
        check(case, "readable by botocore", True, parsed[1] is not None)
    if None not in parsed:
        counts["botocore"] += 1
        compare(case, *parsed, "botocore")
        read_as_sdk(case, paths[1])
    counts["lenient"] += 1
    compare(case, had, leniently(after)[0], "a lenient reader")
    compare_bytes(case, before, after, had, defaults)


with tempfile.TemporaryDirectory() as directory, open(sys.argv[1], encoding="utf-8") as cases:
    for number, line in enumerate(cases):
        judge({**json.loads(line), "number": number}, directory)
print(json.dumps({"counts": counts, "problems": problems}))
