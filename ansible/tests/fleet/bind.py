# Copyright the portwhy developers
# SPDX-License-Identifier: Apache-2.0
"""The judge: a real bind and listen as the planned user with the planned options. Prints ok or the errno's name."""

import errno
import os
import socket
import sys

uid, options = int(sys.argv[1]), sys.argv[2:]
os.setgroups([])
os.setresuid(uid, uid, uid)
made = socket.socket()
for name in options:
    made.setsockopt(socket.SOL_SOCKET, getattr(socket, name), 1)
try:
    made.bind(('0.0.0.0', 8080))
    made.listen()
    print('ok')
except OSError as error:
    print(errno.errorcode[error.errno])
