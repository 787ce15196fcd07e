"""Facts that LIEF, which knows ELF, PE and Mach-O, reports of programs, as JSON by their paths."""

import json
import sys

import lief

lief.logging.disable()


def describe(path):
    binary = lief.parse(path)
    kind = binary.format.name
    machine = {
        "ELF": lambda: binary.header.machine_type.name,
        "PE": lambda: binary.header.machine.name,
        "MACHO": lambda: binary.header.cpu_type.name,
    }[kind]()
    segments = [segment.name for segment in binary.segments] if kind == "MACHO" else []
    return {
        "format": kind,
        "machine": machine,
        "payloadSegments": segments.count("__SUI"),
        "signed": kind == "MACHO" and binary.has_code_signature,
        "sections": [section.name for section in binary.sections] if kind == "PE" else [],
    }


print(json.dumps({path: describe(path) for path in sys.argv[1:]}))
