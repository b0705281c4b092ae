# Copyright the portwhy developers
# SPDX-License-Identifier: Apache-2.0
"""One host of the fleet, inside namespaces of its own: its name, its loopback, and what is on its port."""

import ctypes
import fcntl
import os
import socket
import struct
import sys
import time

PORT = 8080
LOOPBACK = '127.0.0.1'

libc = ctypes.CDLL(None, use_errno=True)


def run(name, situation):
    socket.sethostname(name)
    loopback_up()
    # Its own /run: sshd(8) wants a directory there, and the pid file is the host's alone.
    if libc.mount(b'tmpfs', b'/run', b'tmpfs', 0, None) != 0:
        raise OSError(ctypes.get_errno(), 'mount /run')
    os.mkdir('/run/sshd', 0o755)
    kept = SITUATIONS[situation]()
    print('ready', flush=True)
    while True:
        time.sleep(20)
        # A TIME_WAIT lasts a minute, a play over many hosts longer.
        if situation == 'time-wait':
            leave_time_wait(kept)


def loopback_up():
    with socket.socket() as any_socket:
        request = bytearray(struct.pack('16sh14s', b'lo', 0, b''))
        fcntl.ioctl(any_socket, 0x8913, request)  # SIOCGIFFLAGS
        flags = struct.unpack_from('16sh', request)[1]
        fcntl.ioctl(any_socket, 0x8914, struct.pack('16sh14s', b'lo', flags | 1, b''))  # SIOCSIFFLAGS, IFF_UP


def bound(address='0.0.0.0', options=(), listens=True):
    made = socket.socket()
    for option in options:
        made.setsockopt(socket.SOL_SOCKET, option, 1)
    made.bind((address, PORT))
    if listens:
        made.listen()
    return made


def by_user(uid, make):
    """A socket that a child of this user makes and keeps."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setgroups([])
        os.setresuid(uid, uid, uid)
        kept = make()
        os.write(writing, b'x')
        while kept:
            time.sleep(1000)
    os.read(reading, 1)


def ours():
    kept = bound()
    with open('/run/portal.pid', 'w', encoding='ascii') as file:
        file.write('%d\n' % os.getpid())
    return kept


def leave_time_wait(server):
    """A connection from the port that this side closes first."""
    client = bound(LOOPBACK, [socket.SO_REUSEADDR], listens=False)
    client.connect(server.getsockname())
    accepted, dummy = server.accept()
    client.shutdown(socket.SHUT_WR)
    accepted.close()
    client.close()


def time_wait():
    server = socket.socket()
    # Another address each time: the port pair of a TIME_WAIT is taken.
    server.bind((LOOPBACK, 0))
    server.listen()
    leave_time_wait(server)
    return server


ADDRESS, GROUP = socket.SO_REUSEADDR, socket.SO_REUSEPORT

SITUATIONS = {
    'free': lambda: None,
    'listener': bound,
    'listener-reuseaddr': lambda: bound(options=[ADDRESS]),
    'listener-reuseport': lambda: bound(options=[GROUP]),
    'listener-both': lambda: bound(options=[ADDRESS, GROUP]),
    'listener-loopback': lambda: bound(LOOPBACK, [ADDRESS]),
    'time-wait': time_wait,
    'bound-only': lambda: bound(options=[ADDRESS], listens=False),
    'other-user': lambda: by_user(33, lambda: bound(options=[GROUP])),
    'reuseport-group': lambda: by_user(65534, lambda: [bound(options=[GROUP]) for dummy in range(3)]),
    'ours': ours,
    'not-ours': lambda: by_user(33, bound),
    'without-privilege': lambda: by_user(33, bound),
    'without-binary': lambda: None,
    'nonsense': lambda: None,
    'unreachable': lambda: None,
}


if __name__ == '__main__':
    run(sys.argv[1], sys.argv[2])
