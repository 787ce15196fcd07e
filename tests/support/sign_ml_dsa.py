"""Signs a message with an ML-DSA key, with Python's cryptography; the signature goes to standard output.

Usage: sign_ml_dsa.py KEY MESSAGE (files; the key is PKCS#8 in PEM).
"""

import sys

from cryptography.hazmat.primitives.serialization import load_pem_private_key

key, message = (open(path, "rb").read() for path in sys.argv[1:])
sys.stdout.buffer.write(load_pem_private_key(key, None).sign(message))
