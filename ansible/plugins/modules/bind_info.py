#!/usr/bin/python
# Copyright the portwhy developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
module: bind_info
short_description: Say whether a bind and listen would work
version_added: 0.2.0
author: the portwhy developers (@portwhy)
description:
  - Asks C(portwhy) whether a server could bind its port on the host, and if not, who and what stands in the way.
  - Never fails because of the verdict; M(portwhy.portwhy.bind_check) is the gate.
extends_documentation_fragment: portwhy.portwhy.plan
seealso:
  - module: portwhy.portwhy.bind_check
'''

EXAMPLES = r'''
- name: Ask about the port of the next release
  portwhy.portwhy.bind_info:
    target: 8080
    user: www-data
    runtime: node
  become: true
  register: port

- name: Show who has it
  ansible.builtin.debug:
    var: port.holders
  when: port.verdict == 'fails'
'''

RETURN = r'''
verdict:
  description: What the planned bind and listen would do on every address and port asked for.
  type: str
  returned: success
  sample: fails
targets:
  description: An entry for each port and protocol.
  type: list
  elements: dict
  returned: success
  contains:
    port:
      description: The port.
      type: int
    protocol:
      description: C(tcp) or C(udp).
      type: str
    verdict:
      description: C(ok), C(ours), C(fails) or C(undetermined).
      type: str
    errno:
      description: The error, such as C(EADDRINUSE); null without one.
      type: str
    cause:
      description: The kind of reason, a topic of C(portwhy --explain).
      type: str
    headline:
      description: The answer as a sentence.
      type: str
    why:
      description: The reasons, a sentence each.
      type: list
      elements: str
    do:
      description: What to do, the safest that works first.
      type: list
      elements: str
    missing:
      description: What an undetermined answer lacks.
      type: list
      elements: str
holders:
  description: The processes that hold the sockets of these ports.
  type: list
  elements: dict
  returned: success
  sample: [{pid: 812, command: nginx, unit: nginx.service, user: root}]
version:
  description: The version of portwhy on the host.
  type: str
  returned: success
schema:
  description: The schema of the report.
  type: str
  returned: success
hostname:
  description: The name of the host in the report.
  type: str
  returned: success
probe_skipped:
  description: Check mode left out the real bind that C(probe) asks for.
  type: bool
  returned: in check mode with C(probe)
report:
  description: The whole report, C(portwhy.report/1).
  type: dict
  returned: with C(full)
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portwhy.portwhy.plugins.module_utils import portwhy


def main():
    module = AnsibleModule(argument_spec=portwhy.PLAN_OPTIONS, supports_check_mode=True)
    module.exit_json(**portwhy.Asked(module).result())


if __name__ == '__main__':
    main()
