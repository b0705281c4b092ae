#!/usr/bin/python
# Copyright the portwhy developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
module: listeners_facts
short_description: Facts about every port in use, with the socket options
version_added: 0.2.0
author: the portwhy developers (@portwhy)
description:
  - Collects the listening and bound sockets of the host with SO_REUSEADDR, SO_REUSEPORT and owner as facts.
options:
  executable:
    description: The program.
    type: path
    default: portwhy
  netns:
    description: Another network namespace of the host, by pid, name or path.
    type: str
attributes:
  check_mode:
    description: Changes nothing, so check mode is the same.
    support: full
  diff_mode:
    description: Nothing is changed, so there is no difference to show.
    support: none
  facts:
    description: Returns facts of the host.
    support: full
requirements:
  - portwhy 0.2 on the host; the role C(portwhy.portwhy.install) puts it there
'''

EXAMPLES = r'''
- name: Collect the listeners
  portwhy.portwhy.listeners_facts:
  become: true

- name: Group the hosts whose server still lacks SO_REUSEADDR
  ansible.builtin.group_by:
    key: "lacks_reuseaddr_{{ portwhy_listeners | selectattr('port', 'eq', 8080) | selectattr('reuseaddr', 'false') | list | length > 0 }}"
'''

RETURN = r'''
ansible_facts:
  description: The facts.
  type: dict
  returned: success
  contains:
    portwhy_listeners:
      description: An entry for each socket; an option that could not be read is null.
      type: list
      elements: dict
      returned: success
      sample:
        - {port: 8080, protocol: tcp, address: 0.0.0.0, reuseaddr: true, reuseport: false, command: nginx,
           unit: nginx.service, container: null, uid: 0, source: getsockopt}
'''

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portwhy.portwhy.plugins.module_utils import portwhy


def main():
    module = AnsibleModule(
        argument_spec=dict(executable=dict(type='path', default='portwhy'), netns=dict(type='str')),
        supports_check_mode=True)
    module.exit_json(changed=False, ansible_facts=dict(portwhy_listeners=portwhy.Overview(module).listeners()))


if __name__ == '__main__':
    main()
