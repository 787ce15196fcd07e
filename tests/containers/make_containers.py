"""Writes what Python's cryptography writes, and prints a line of JSON for each file."""

import json
import sys
from itertools import product
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

folder, password, *subjects = sys.argv[1:]
word = password.encode()


def write(name, contents, secret=None):
    path = Path(folder, name.replace(" ", "-"))
    path.write_bytes(contents)
    print(json.dumps({"name": name, "path": str(path), "password": secret}))


for subject, key_path, certificate_path in zip(*[iter(subjects)] * 3):
    key = load_pem_private_key(Path(key_path).read_bytes(), None)
    certificate = x509.load_pem_x509_certificate(Path(certificate_path).read_bytes())

    for style, form in product(("PKCS8", "TraditionalOpenSSL"), ("PEM", "DER")):
        kind = f"{subject} {style} {form}"
        format, encoding = getattr(PrivateFormat, style), getattr(Encoding, form)
        write(f"{kind} plain", key.private_bytes(encoding, format, NoEncryption()))
        if (style, form) != ("TraditionalOpenSSL", "DER"):
            encryption = BestAvailableEncryption(word)
            write(f"{kind} encrypted", key.private_bytes(encoding, format, encryption), password)

    for encryption, name in ((NoEncryption(), "plain"), (BestAvailableEncryption(word), "best")):
        data = pkcs12.serialize_key_and_certificates(b"me", key, certificate, None, encryption)
        write(f"{subject} PKCS12 {name}", data, password if name == "best" else None)
        data = pkcs12.serialize_key_and_certificates(None, key, certificate, [certificate], encryption)
        write(f"{subject} PKCS12 {name} chain", data, password if name == "best" else None)

    schemes = ("PBESv1SHA1And3KeyTripleDESCBC", "PBESv2SHA256AndAES256CBC")
    macs = [hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()]
    # The password's work is the same for each kind of key.
    for scheme, mac, rounds in product(schemes, macs, (1, 50_000)) if "384" not in subject else ():
        builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(rounds)
        encryption = builder.key_cert_algorithm(getattr(pkcs12.PBES, scheme)).hmac_hash(mac).build(word)
        data = pkcs12.serialize_key_and_certificates(b"me", key, certificate, None, encryption)
        write(f"{subject} PKCS12 {scheme} {mac.name} {rounds}", data, password)
