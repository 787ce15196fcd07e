"""Verifies an ML-DSA signature by the key of a certificate, with Python's cryptography.

Usage: verify_ml_dsa.py CERTIFICATE MESSAGE SIGNATURE (files). Ends with 0 when it is right.
"""

import sys

from cryptography import x509

certificate, message, signature = (open(path, "rb").read() for path in sys.argv[1:])
x509.load_pem_x509_certificate(certificate).public_key().verify(signature, message)
