"""Verifies a certificate with nothing but Python's standard library: python3 verify.py CERTIFICATE PUBLIC_KEY

It shares no code with the library. So whoever has the certificate and the public key needs neither the library nor its ledger.
"""
import base64
import hashlib
import json
import sys

# Ed25519 (RFC 8032, section 6), verification alone.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f, g * h, f * g, e * h)


def times(n, point):
    result = (0, 1, 1, 0)
    while n > 0:
        if n & 1:
            result = add(result, point)
        point, n = add(point, point), n >> 1
    return result


def is_equal(a, b):
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


def x_of(y, sign):
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P != 0:
        x = x * pow(2, (P - 1) // 4, P) % P
    assert (x * x - square) % P == 0 and not (x == 0 and sign), "not a point of the curve"
    return P - x if x & 1 != sign else x


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x = x_of(y, sign)
    return (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (x_of(BASE_Y, 0), BASE_Y, 1, x_of(BASE_Y, 0) * BASE_Y % P)


def is_signed(key, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % ORDER
    return s < ORDER and is_equal(times(s, BASE), add(point(r), times(k, point(key))))


def sha256(data):
    return hashlib.sha256(data).digest()


def root_of(leaf, index, size, path):
    """The root to which a path leads: RFC 9162, section 2.1.3.2."""
    at, last, node = index, size - 1, leaf
    for beside in path:
        assert last > 0, "the path is too long"
        if at & 1 or at == last:
            node = sha256(b"\x01" + beside + node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = sha256(b"\x01" + node + beside)
        at, last = at >> 1, last >> 1
    assert last == 0, "the path is too short"
    return node


def verify(certificate, public_key):
    name, key_hash, key = public_key.split("+", 2)
    key = base64.b64decode(key)
    assert key[0] == 1 and sha256(name.encode() + b"\n" + key)[:4].hex() == key_hash, "no public key"
    body, signatures = certificate["checkpoint"].split("\n\n")
    body += "\n"
    origin, size, root = body.splitlines()
    size, root = int(size), base64.b64decode(root)
    lines = [line.split(" ") for line in signatures.splitlines()]
    signed = [base64.b64decode(line[2]) for line in lines if line[0] == "\u2014" and line[1] == name]
    assert origin == name and any(
        s[:4].hex() == key_hash and is_signed(key[1:], body.encode(), s[4:]) for s in signed
    ), "the checkpoint is not signed by this key"
    for entry in filter(None, [certificate["entry"], certificate.get("scrub")]):
        path = [bytes.fromhex(node) for node in entry["path"]]
        leaf = sha256(b"\x00" + entry["text"].encode())
        assert 0 < entry["seq"] <= size, "the entry came after the checkpoint"
        assert root_of(leaf, entry["seq"] - 1, size, path) == root, "the entry is not in the tree"
    closed = json.loads(certificate["entry"]["text"])["says"]["closed"]
    under = certificate["circumstances"]["text"]
    assert sha256(under.encode()).hex() == closed["circumstances"], "these are other circumstances"
    treatment = json.dumps(certificate["treatment"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    rules = json.loads(under)["rules"]["erasure"]
    assert sha256(treatment.encode()).hex() == rules["treatment_digest"], "this is another treatment"
    return closed["case"], size


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    try:
        case, size = verify(json.loads(text), sys.argv[2])
    except Exception as error:  # whatever it is, nothing is proved
        sys.exit(f"not proved: {error}")
    print(f"proved: case {case}, among {size} entries")
