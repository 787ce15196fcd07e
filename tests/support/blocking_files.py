"""FUSE file system whose calls block on demand, without libfuse.

    blocking_files.py MOUNT_POINT CONTENTS_FOLDER

It shows the files of CONTENTS_FOLDER, without subfolders, read-only. Commands on standard input, each
acknowledged by a line: `block OPERATION…` (lookup, getattr, open, read; `again` lets reads fail
with EAGAIN), `answer`, which answers what waits, `allow`, which answers that and what follows, and
`waiting`. The line has the number of files that were closed, or of calls that wait. A blocked call ends on a signal, as on NFS. The end of
standard input unmounts.
"""

import ctypes
import errno
import os
import select
import stat
import struct
import sys

LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT = 1, 2, 3, 14, 15, 17, 18, 25, 26
OPENDIR, READDIR, RELEASEDIR, ACCESS, INTERRUPT, DESTROY, BATCH_FORGET = 27, 28, 29, 34, 36, 38, 42
WRITING = (4, 6, 8, 9, 10, 11, 12, 13, 16, 35)  # SETATTR, SYMLINK, MKNOD … WRITE, CREATE
AGAIN = -1
NAMES = {
    "again": AGAIN, "lookup": LOOKUP, "getattr": GETATTR, "open": OPEN, "read": READ,
}
DIRECT_IO = 1
ROOT = 1
HEADER = struct.Struct("<IIQQIIII")

mount_point, contents = sys.argv[1:3]
device = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
MS_NOSUID, MS_NODEV, MNT_DETACH = 2, 4, 2
if libc.mount(b"blocking", mount_point.encode(), b"fuse", MS_NOSUID | MS_NODEV, options.encode()):
    sys.exit(f"mount: {os.strerror(ctypes.get_errno())}")

names = {}  # inode: name
blocked = set()
waiting = {}  # unique: (opcode, inode, body)
released = 0


def reply(unique, body=b"", error=0):
    try:
        os.write(device, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)
    except FileNotFoundError:
        pass  # the caller has gone


def attributes(inode):
    info = os.stat(contents if inode == ROOT else os.path.join(contents, names[inode]))
    mode = stat.S_IFDIR | 0o755 if inode == ROOT else stat.S_IFREG | 0o644
    times = (int(info.st_mtime),) * 3
    return struct.pack(
        "<QQQQQQIIIIIIIIII", inode, info.st_size, 1, *times, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def handle(opcode, unique, inode, body):
    if opcode == INIT:
        major, minor, readahead, _ = struct.unpack_from("<IIII", body)
        reply(unique, struct.pack("<IIIIHHIIHH32x", 7, 31, readahead, 0, 12, 10, 65536, 1, 0, 0))
    elif opcode == LOOKUP:
        name = body.rstrip(b"\0").decode()
        if not os.path.isfile(os.path.join(contents, name)):
            return reply(unique, error=errno.ENOENT)
        found = next((i for i, known in names.items() if known == name), len(names) + 2)
        names[found] = name
        reply(unique, struct.pack("<QQQQII", found, 0, 0, 0, 0, 0) + attributes(found))
    elif opcode == GETATTR:
        reply(unique, struct.pack("<QII", 0, 0, 0) + attributes(inode))
    elif opcode in (OPEN, OPENDIR):
        reply(unique, struct.pack("<QII", 0, DIRECT_IO, 0))
    elif opcode == READ and AGAIN in blocked:
        reply(unique, error=errno.EAGAIN)
    elif opcode == READ:
        _, offset, size = struct.unpack_from("<QQI", body)
        with open(os.path.join(contents, names[inode]), "rb") as file:
            file.seek(offset)
            reply(unique, file.read(size))
    elif opcode == RELEASE:
        global released
        released += 1
        reply(unique)
    elif opcode in (READDIR, FLUSH, RELEASEDIR, ACCESS):
        reply(unique)
    elif opcode == STATFS:
        reply(unique, struct.pack("<QQQQQIII28x", 0, 0, 0, 0, 0, 512, 255, 512))
    elif opcode == INTERRUPT:
        (target,) = struct.unpack_from("<Q", body)
        if waiting.pop(target, None):
            reply(target, error=errno.EINTR)
    elif opcode in WRITING:
        reply(unique, error=errno.EROFS)
    elif opcode not in (FORGET, BATCH_FORGET, DESTROY):
        reply(unique, error=errno.ENOSYS)


def command(line):
    word, *operations = line.split()
    if word in ("block", "allow"):
        blocked.clear()
        blocked.update(NAMES[operation] for operation in operations)
    if word == "waiting":
        return print(len(waiting), flush=True)
    for unique, request in list(waiting.items()):
        if word == "answer" or request[0] not in blocked:
            del waiting[unique]
            handle(request[0], unique, *request[1:])
    print(released, flush=True)


try:
    print("mounted", flush=True)
    rest = b""
    while True:
        ready, _, _ = select.select([device, 0], [], [])
        if device in ready:
            request = os.read(device, 1 << 18)
            _, opcode, unique, inode, *_ = HEADER.unpack_from(request)
            body = request[HEADER.size:]
            if opcode in blocked:
                waiting[unique] = (opcode, inode, body)
            else:
                handle(opcode, unique, inode, body)
        if 0 in ready:
            data = os.read(0, 4096)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                command(line.decode())
finally:
    libc.umount2(mount_point.encode(), MNT_DETACH)
    os.close(device)  # what waits fails
