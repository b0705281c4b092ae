# Copyright the portwhy developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import absolute_import, division, print_function

__metaclass__ = type


class ModuleDocFragment(object):
    """The bind that is asked about, the same for each module."""

    DOCUMENTATION = r'''
options:
  target:
    description:
      - The ports, as C(portwhy) takes them, such as C(8080), C(8000-8010), C(53/udp) or C(127.0.0.1:8080).
    type: list
    elements: str
    required: true
  reuseaddr:
    description: The server sets SO_REUSEADDR.
    type: bool
    default: false
  reuseport:
    description: The server sets SO_REUSEPORT.
    type: bool
    default: false
  v6only:
    description: IPV6_V6ONLY of the server's IPv6 socket. Without it the host's default.
    type: bool
  runtime:
    description: The server or its runtime, such as C(nginx) or C(node), for its own defaults.
    type: str
  device:
    description: The interface the server binds its socket to (SO_BINDTODEVICE).
    type: str
  netns:
    description: Another network namespace of the host, by pid, name or path.
    type: str
  user:
    description:
      - The user the server runs as, by name or number.
      - With C(become) portwhy runs as root, so give this for a server that does not.
    type: str
  ours:
    description:
      - What is our own server. Where everything in the way is held by a process that matches any of these, the verdict is
        C(ours) and not C(fails), so that the second run of a roll-out passes.
      - Each is a dictionary with one key out of C(unit), C(user), C(container), C(cwd), C(exe), C(pid) and C(pidfile).
    type: list
    elements: dict
    default: []
  deep:
    description: Look into the host's other network namespaces and its firewall as well.
    type: bool
    default: false
  probe:
    description:
      - Settle what reading leaves open by a real bind that never listens. The one option that binds.
      - In check mode it is not done, and C(probe_skipped) says so.
    type: bool
    default: false
  bpf:
    description: Read through BPF iterators what nothing else shows; needs C(become).
    type: bool
    default: true
  full:
    description: Return the whole report besides.
    type: bool
    default: false
  executable:
    description: The program.
    type: path
    default: portwhy
attributes:
  check_mode:
    description: Changes nothing, so check mode is the same, but for C(probe).
    support: full
  diff_mode:
    description: Nothing is changed, so there is no difference to show.
    support: none
requirements:
  - portwhy 0.2 on the host; the role C(portwhy.portwhy.install) puts it there
notes:
  - Without C(become) the sockets of other users are seen, but not their owners and options.
'''
