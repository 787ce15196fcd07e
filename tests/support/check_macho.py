"""Facts that LIEF, and the hashes in its code signature, report of a Mach-O program.

Usage: check_macho.py FILE

Prints JSON: whether the loader would take the layout and else why not, the segments, and for a
signed program its flags and how many of its pages have the hash of the signature.
"""

import hashlib
import json
import struct
import sys

import lief

CODE_DIRECTORY = 0xFADE0C02


def check_pages(signature, program):
    """Reads the code directory (cs_blobs.h) and compares each page's hash."""
    _, _, count = struct.unpack_from(">III", signature, 0)
    for i in range(count):
        _, offset = struct.unpack_from(">II", signature, 12 + 8 * i)
        magic, _, _, flags, hashes, _, _, pages, limit = struct.unpack_from(
            ">9I", signature, offset
        )
        if magic == CODE_DIRECTORY:
            break
    size, kind, _, page_log = struct.unpack_from("4B", signature, offset + 36)
    assert kind == 2, "SHA-256 is expected"
    right = 0
    for page in range(pages):
        start = page << page_log
        digest = hashlib.sha256(program[start : min(start + (1 << page_log), limit)]).digest()
        at = offset + hashes + page * size
        right += digest[:size] == signature[at : at + size]
    return {"flags": flags, "pages": pages, "right": right, "limit": limit}


def main():
    path = sys.argv[1]
    with open(path, "rb") as file:
        program = file.read()
    binary = lief.MachO.parse(path).at(0)
    sound, why = lief.MachO.check_layout(binary)
    signature = None
    if binary.has_code_signature:
        place = binary.code_signature
        start, size = place.data_offset, place.data_size
        signature = check_pages(program[start : start + size], program)
        signature["isAtTheEnd"] = start + size == len(program) and signature["limit"] == start
    print(json.dumps({
        "sound": sound,
        "why": why,
        "segments": [segment.name for segment in binary.segments],
        "signature": signature,
    }))


main()
