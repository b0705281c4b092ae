# Copyright the portwhy developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
name: record
type: notification
short_description: Writes each result as a line of JSON to the file FLEET_RESULTS, for the tests of the fleet
author: the portwhy developers (@portwhy)
description: A line for each host.
'''

import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'notification'
    CALLBACK_NAME = 'record'

    def v2_runner_on_ok(self, result):
        self._record('ok', result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._record('failed', result)

    def v2_runner_on_unreachable(self, result):
        self._record('unreachable', result)

    def _record(self, end, result):
        with open(os.environ['FLEET_RESULTS'], 'a') as file:
            file.write(json.dumps(dict(host=result._host.get_name(), end=end, result=result._result), default=str) + '\n')
