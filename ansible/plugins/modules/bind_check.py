#!/usr/bin/python
# Copyright the portwhy developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
module: bind_check
short_description: Stop a play on hosts where a bind would not work
version_added: 0.2.0
author: the portwhy developers (@portwhy)
description:
  - The gate before a roll-out. Fails unless the planned bind and listen would work, or unless what is in the way is our own
    server (C(ours)).
  - With C(timeout) it waits for the port first, as C(portwhy --wait) does.
extends_documentation_fragment: portwhy.portwhy.plan
options:
  timeout:
    description: How many seconds to wait until the bind would work. 0 asks once.
    type: float
    default: 0
  undetermined:
    description: What an answer that is not sure means.
    type: str
    choices: [fail, accept]
    default: fail
seealso:
  - module: portwhy.portwhy.bind_info
'''

EXAMPLES = r'''
- name: Stop where another program has the port; our own service may
  portwhy.portwhy.bind_check:
    target: 8080
    user: www-data
    reuseaddr: true
    ours:
      - unit: portal.service
  become: true

- name: Give the old server half a minute to go
  portwhy.portwhy.bind_check:
    target: 127.0.0.1:9000
    timeout: 30
  become: true
'''

RETURN = r'''
verdict:
  description: What the planned bind and listen would do on every address and port asked for.
  type: str
  returned: whenever portwhy answers
  sample: fails
targets:
  description: An entry for each port and protocol.
  type: list
  elements: dict
  returned: whenever portwhy answers
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
  returned: whenever portwhy answers
  sample: [{pid: 812, command: nginx, unit: nginx.service, user: root}]
version:
  description: The version of portwhy on the host.
  type: str
  returned: whenever portwhy answers
schema:
  description: The schema of the report.
  type: str
  returned: whenever portwhy answers
hostname:
  description: The name of the host in the report.
  type: str
  returned: whenever portwhy answers
probe_skipped:
  description: Check mode left out the real bind that C(probe) asks for.
  type: bool
  returned: in check mode with C(probe)
report:
  description: The whole report, C(portwhy.report/1).
  type: dict
  returned: with C(full)
explanation:
  description: What C(portwhy) prints for people, line by line.
  type: list
  elements: str
  returned: failure
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portwhy.portwhy.plugins.module_utils import portwhy


def main():
    spec = dict(
        portwhy.PLAN_OPTIONS, timeout=dict(type='float', default=0),
        undetermined=dict(type='str', choices=['fail', 'accept'], default='fail'))
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    timeout = module.params['timeout']
    if timeout < 0:
        module.fail_json(msg='timeout %s is negative' % timeout)
    asked = portwhy.Asked(module, ['--wait', '--timeout=%s' % timeout] if timeout else None)
    result = asked.result()
    passes = result['verdict'] in ('ok', 'ours') or (
        result['verdict'] == 'undetermined' and module.params['undetermined'] == 'accept')
    if passes:
        module.exit_json(**result)
    head, lines = portwhy.explanation(asked.screen())
    module.fail_json(msg=portwhy.message(result, head) or head or result['verdict'], explanation=lines, **result)


if __name__ == '__main__':
    main()
