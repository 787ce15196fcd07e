"""Makes substitutes for one part of the reference data, in the same layout, with Python's libraries only.

Usage: make_reference.py PART FOLDER (createsession, endpoints, mldsa or pkcs8).
No code of the program under test takes part: botocore canonicalizes requests and resolves endpoints,
cryptography signs, and reads each encrypted key back.
"""

import base64
import datetime
import hashlib
import json
import os
import sys
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7

PASSWORD = b"password"
DAY = datetime.timedelta(days=1)


# DER


def element(tag, *contents):
    data = b"".join(contents)
    size = len(data)
    if size < 0x80:
        return bytes([tag, size]) + data
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + data


def integer(value):
    return element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    octets = bytearray()
    for number in [40 * first + second, *rest]:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | number & 0x7F)
        octets += bytes(reversed(groups))
    return element(0x06, bytes(octets))


def pem(label, data):
    text = base64.b64encode(data).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


# PBES2 (RFC 8018)

PRFS = {
    "SHA1": (None, hashes.SHA1),
    "SHA256": ("1.2.840.113549.2.9", hashes.SHA256),
    "SHA384": ("1.2.840.113549.2.10", hashes.SHA384),
    "SHA512": ("1.2.840.113549.2.11", hashes.SHA512),
}
CBC = {16: "2.16.840.1.101.3.4.1.2", 24: "2.16.840.1.101.3.4.1.22", 32: "2.16.840.1.101.3.4.1.42"}


def encrypted(key_info, readable=None, **options):
    """Returns the PEM of an encrypted PKCS#8 structure.

    cryptography reads an equally encrypted one: `readable`, if it does not know the form of the key.
    """
    serialization.load_pem_private_key(wrapped(readable or key_info, **options).encode(), PASSWORD)
    return wrapped(key_info, **options)


def wrapped(key_info, *, prf="SHA256", key_size=32, scrypt=False, salt_size=16):
    # HMAC-SHA1 is the default PRF: it is not named.
    salt, vector = os.urandom(salt_size), os.urandom(16)
    if scrypt:
        key = Scrypt(salt=salt, length=key_size, n=16384, r=8, p=1).derive(PASSWORD)
        derivation = element(
            0x30,
            oid("1.3.6.1.4.1.11591.4.11"),
            element(0x30, element(0x04, salt), integer(16384), integer(8), integer(1)),
        )
    else:
        identifier, hash_class = PRFS[prf]
        key = PBKDF2HMAC(hash_class(), key_size, salt, 2048).derive(PASSWORD)
        named = [] if identifier is None else [element(0x30, oid(identifier), element(0x05))]
        derivation = element(
            0x30,
            oid("1.2.840.113549.1.5.12"),
            element(0x30, element(0x04, salt), integer(2048), *named),
        )
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).encryptor()
    data = encryptor.update(padder.update(key_info) + padder.finalize()) + encryptor.finalize()
    cipher = element(0x30, oid(CBC[key_size]), element(0x04, vector))
    algorithm = element(
        0x30, oid("1.2.840.113549.1.5.13"), element(0x30, derivation, cipher)
    )
    return pem("ENCRYPTED PRIVATE KEY", element(0x30, algorithm, element(0x04, data)))


# certificates


def name(common_name):
    return x509.Name(
        [
            x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Example"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name),
        ]
    )


def usage(**true):
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    )
    return x509.KeyUsage(**{each: true.get(each, False) for each in every.split()})


def certificate(common_name, public_key, issuer_name, issuer_key, serial, ca):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder(name(issuer_name), name(common_name), public_key, serial)
        .not_valid_before(now - DAY)
        .not_valid_after(now + 30 * DAY)
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(
            usage(key_cert_sign=True, crl_sign=True) if ca else usage(digital_signature=True),
            critical=True,
        )
    )
    if not ca:
        purpose = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(purpose, critical=False)
    algorithm = None if hasattr(mldsa, type(issuer_key).__name__) else hashes.SHA256()
    return builder.sign(issuer_key, algorithm)


def certificate_pem(made):
    return made.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


# createsession


def make_createsession(folder):
    vectors = []
    for key_type, suffix, serial, new_key in (
        ("RSA", "", 21, lambda: rsa.generate_private_key(65537, 2048)),
        ("ECDSA", "-ecc", x509.random_serial_number(), lambda: ec.generate_private_key(ec.SECP256R1())),
    ):
        root_key, key = new_key(), new_key()
        root = certificate("Root", root_key.public_key(), "Root", root_key, 1, True)
        leaf = certificate("alice.example.com", key.public_key(), "Root", root_key, serial, False)
        files = {
            f"root-ca{suffix}.crt": certificate_pem(root),
            f"alice-cert{suffix}.crt": certificate_pem(leaf),
            f"alice-cert{suffix}.key": key_pem(key),
        }
        for file, text in files.items():
            (folder / file).write_text(text)
        vector = signed_request(key_type, key, leaf)
        names = {"certificateFile": f"alice-cert{suffix}.crt", "privateKeyFile": f"alice-cert{suffix}.key"}
        vectors.append({**vector, **names})
    (folder / "vectors.json").write_text(json.dumps(vectors))


def signed_request(key_type, key, leaf):
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    region = "eu-west-3"
    arn = f"arn:aws:rolesanywhere:{region}:123456789012"
    parameters = {
        "profileArn": f"{arn}:profile/01234567-89ab-cdef-0123-456789abcdef",
        "roleArn": "arn:aws:iam::123456789012:role/a+b/c=d,e@f",
        "trustAnchorArn": f"{arn}:trust-anchor/fedcba98-7654-3210-fedc-ba9876543210",
    }
    query = "&".join(f"{each}={quote(value, safe='-_.~')}" for each, value in parameters.items())
    timestamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": "application/json",
        "host": "127.0.0.1:8080",
        "x-amz-date": timestamp,
        "x-amz-x509": base64.b64encode(leaf.public_bytes(serialization.Encoding.DER)).decode(),
    }
    body = '{"durationSeconds":3600}'
    request = AWSRequest(
        method="POST", url=f"http://{headers['host']}/sessions?{query}", headers=headers, data=body
    )
    request.context["timestamp"] = timestamp
    auth = SigV4Auth(None, "rolesanywhere", region)
    algorithm = f"AWS4-X509-{key_type}-SHA256"
    scope = f"{timestamp[:8]}/{region}/rolesanywhere/aws4_request"
    canonical = hashlib.sha256(auth.canonical_request(request).encode()).hexdigest()
    to_sign = "\n".join([algorithm, timestamp, scope, canonical]).encode()
    signature = (
        key.sign(to_sign, padding.PKCS1v15(), hashes.SHA256())
        if key_type == "RSA"
        else key.sign(to_sign, ec.ECDSA(hashes.SHA256()))
    )
    return {
        "name": key_type,
        "algorithm": algorithm,
        "method": "POST",
        "path": "/sessions",
        "query": query,
        "body": body,
        "headers": headers,
        "signedHeaders": auth.signed_headers(auth.headers_to_sign(request)),
        "scope": scope,
        "signature": signature.hex(),
        "deterministic": key_type == "RSA",
    }


# endpoints


def make_endpoints(folder):
    """Writes a case for each region botocore knows, and for one it does not, with each choice."""
    from botocore.endpoint_provider import EndpointProvider
    from botocore.exceptions import EndpointProviderError
    from botocore.loaders import Loader

    loader = Loader()
    partitions = loader.load_data("partitions")
    rules = loader.load_service_model("rolesanywhere", "endpoint-rule-set-1")
    provider = EndpointProvider(rules, partitions)
    # Pseudo regions such as aws-global have no endpoint of this service.
    regions = [
        region
        for partition in partitions["partitions"]
        for region in partition["regions"]
        if not region.endswith("-global")
    ]
    regions += ["us-new-9", "cn-new-9", "us-gov-new-9", "us-isob-new-9", "eusc-de-new-9", "xx-new-9"]
    cases = []
    for region in [*regions, None]:
        for endpoint in [None, "https://example.com"] if region in (None, "us-east-1") else [None]:
            for fips in (False, True):
                for dual_stack in (False, True):
                    given = {"Region": region, "Endpoint": endpoint}
                    given = {each: value for each, value in given.items() if value is not None}
                    given |= {"UseFIPS": fips, "UseDualStack": dual_stack}
                    try:
                        url = provider.resolve_endpoint(**given).url
                        expect = {"endpoint": {"url": url}}
                    except EndpointProviderError as error:
                        expect = {"error": str(error)}
                    cases.append(
                        {"documentation": json.dumps(given), "expect": expect, "params": given}
                    )
    (folder / "endpoint-tests-1.json").write_text(json.dumps({"testCases": cases}))


# mldsa

Q, D, N = 8380417, 13, 256
ZETAS = [pow(1753, int(f"{i:08b}"[::-1], 2), Q) for i in range(N)]


def expanded_key(level, seed):
    """Returns the private and public key of a seed (FIPS 204, algorithm 6)."""
    k, l, eta = {44: (4, 4, 2), 65: (6, 5, 4), 87: (8, 7, 2)}[level]
    digest = hashlib.shake_256(seed + bytes([k, l])).digest(128)
    rho, rho_prime, key = digest[:32], digest[32:96], digest[96:]
    small = [bounded(rho_prime + r.to_bytes(2, "little"), eta) for r in range(l + k)]
    s1, s2 = small[:l], small[l:]
    transformed = [ntt(poly) for poly in s1]
    t0, t1 = [], []
    for r in range(k):
        total = [0] * N
        for s in range(l):
            row = uniform(rho + bytes([s, r]))
            total = [(a + b * c) % Q for a, b, c in zip(total, row, transformed[s])]
        t = [(a + b) % Q for a, b in zip(inverse_ntt(total), s2[r])]
        low = [(c + 2 ** (D - 1) - 1) % 2**D - 2 ** (D - 1) + 1 for c in t]
        t0.append(low)
        t1.append([(c - c0) >> D for c, c0 in zip(t, low)])
    public = rho + b"".join(packed(poly, 10) for poly in t1)
    width = (2 * eta).bit_length()
    private = rho + key + hashlib.shake_256(public).digest(64)
    private += b"".join(packed([eta - c for c in poly], width) for poly in s1 + s2)
    private += b"".join(packed([2 ** (D - 1) - c for c in poly], D) for poly in t0)
    return private, public


def bounded(seed, eta):
    stream = hashlib.shake_256(seed).digest(1024)
    halves = [half for octet in stream for half in (octet & 15, octet >> 4)]
    kept = [2 - h % 5 for h in halves if h < 15] if eta == 2 else [4 - h for h in halves if h < 9]
    return kept[:N]


def uniform(seed):
    stream = hashlib.shake_128(seed).digest(3 * 512)
    numbers = (
        int.from_bytes(stream[i : i + 3], "little") & 0x7FFFFF for i in range(0, len(stream), 3)
    )
    return [number for number in numbers if number < Q][:N]


def ntt(poly):
    poly, m, length = list(poly), 0, 128
    while length:
        for start in range(0, N, 2 * length):
            m += 1
            for j in range(start, start + length):
                t = ZETAS[m] * poly[j + length] % Q
                poly[j], poly[j + length] = (poly[j] + t) % Q, (poly[j] - t) % Q
        length //= 2
    return poly


def inverse_ntt(poly):
    poly, m, length = list(poly), N, 1
    while length < N:
        for start in range(0, N, 2 * length):
            m -= 1
            for j in range(start, start + length):
                a, b = poly[j], poly[j + length]
                poly[j], poly[j + length] = (a + b) % Q, -ZETAS[m] * (a - b) % Q
        length *= 2
    factor = pow(N, -1, Q)
    return [factor * c % Q for c in poly]


def packed(numbers, width):
    total = sum(number << (width * i) for i, number in enumerate(numbers))
    return total.to_bytes(width * N // 8, "little")


def make_mldsa(folder):
    issuer = ec.generate_private_key(ec.SECP256R1())
    for level, kind, last in ((44, "MLDSA44", 17), (65, "MLDSA65", 18), (87, "MLDSA87", 19)):
        key = getattr(mldsa, f"{kind}PrivateKey").generate()
        public = key.public_key()
        seed = key.private_bytes_raw()
        expanded, computed = expanded_key(level, seed)
        if computed != public.public_bytes_raw():
            raise SystemExit(f"ML-DSA-{level}: the computed public key is not cryptography's")
        algorithm = element(0x30, oid(f"2.16.840.1.101.3.4.3.{last}"))
        # Seed and expanded key together, as openssl 3.5 writes them; cryptography reads only the seed.
        both = element(0x30, element(0x04, seed), element(0x04, expanded))
        only_seed, key_info = (
            element(0x30, integer(0), algorithm, element(0x04, choice))
            for choice in (element(0x80, seed), both)
        )
        variants = {
            "aes128cbc": {"key_size": 16},
            "aes192cbc": {"key_size": 24},
            "aes256cbc": {"key_size": 32},
            "hmacWithSHA256": {"prf": "SHA256"},
            "hmacWithSHA384": {"prf": "SHA384"},
            "hmacWithSHA512": {"prf": "SHA512"},
            "scrypt": {"scrypt": True},
        }
        made = certificate(f"ML-DSA-{level}", public, "Root", issuer, 7, False)
        files = {
            "cert": certificate_pem(made),
            "key": key_pem(key),
            "key-pkcs8": pem("PRIVATE KEY", key_info),
        }
        for variant, options in variants.items():
            files[f"key-pkcs8-{variant}"] = encrypted(key_info, only_seed, **options)
        for suffix, text in files.items():
            (folder / f"mldsa{level}-{suffix}.pem").write_text(text)


# pkcs8


def make_pkcs8(folder):
    key_info = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "acm-encrypted.pem").write_text(encrypted(key_info, prf="SHA1", salt_size=20))


part, folder = sys.argv[1:]
{
    "createsession": make_createsession,
    "endpoints": make_endpoints,
    "mldsa": make_mldsa,
    "pkcs8": make_pkcs8,
}[part](Path(folder))
