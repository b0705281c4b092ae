# Copyright the portwhy developers
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r'''
name: fold
type: aggregate
short_description: One table of all hosts at the end of a play
version_added: 0.2.0
author: the portwhy developers (@portwhy)
description:
  - Folds what M(portwhy.portwhy.bind_info) and M(portwhy.portwhy.bind_check) answered by verdict, cause and holder, with
    the names of the hosts folded as operators write them.
requirements:
  - enable it in C(callbacks_enabled) of ansible.cfg
'''

import re
import unicodedata

from ansible.plugins.callback import CallbackBase


def fold_names(names):
    """`web[001-003,007]` for web001, web002, web003 and web007."""
    parts = {}
    for name in sorted(set(names)):
        match = re.match(r'^(.*?)(\d+)(\D*)$', name)
        parts[name] = match.groups() if match else None
    # web10 belongs to web01 to web09, which are padded to two digits.
    padded = set((part[0], part[2], len(part[1])) for part in parts.values() if part and part[1].startswith('0'))
    groups = {}
    for name, part in parts.items():
        if part is None:
            groups.setdefault((name, None, 0), [])
            continue
        key = (part[0], part[2], len(part[1]))
        groups.setdefault(key if key in padded else (part[0], part[2], 0), []).append(int(part[1]))
    folded = []
    for (prefix, suffix, width), numbers in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] or '', item[0][2])):
        if suffix is None:
            folded.append(prefix)
        elif len(numbers) == 1:
            folded.append('%s%s%s' % (prefix, str(numbers[0]).zfill(width), suffix))
        else:
            folded.append('%s[%s]%s' % (prefix, ranges(sorted(numbers), width), suffix))
    return ','.join(folded)


def ranges(numbers, width):
    """`1-3,7` for 1, 2, 3 and 7, each with at least so many digits."""
    parts = []
    start = previous = numbers[0]
    for number in numbers[1:] + [None]:
        if number is not None and number == previous + 1:
            previous = number
            continue
        first, last = str(start).zfill(width), str(previous).zfill(width)
        parts.append(first if start == previous else '%s-%s' % (first, last))
        start = previous = number
    return ','.join(parts)


# What controls a terminal, turns the direction of a text or is none, in the categories of Unicode.
HARMFUL = ('Cc', 'Cf', 'Cs', 'Co', 'Cn', 'Zl', 'Zp')


def harmless(text):
    """The text as portwhy itself would show it: processes and units of the hosts are called what their users like."""
    shown = []
    for letter in text:
        number = ord(letter)
        if unicodedata.category(letter) not in HARMFUL:
            shown.append(letter)
        else:
            shown.append('\\x%02x' % number if number < 0x100 else '\\u{%x}' % number)
    return ''.join(shown)


ORDER = ('ok', 'ours', 'fails', 'undetermined', 'no answer')


def table(hosts):
    """Lines for `{host: (verdict, reason, holder)}`: hosts that ended alike are one, of one verdict the largest first."""
    groups = {}
    for host, row in hosts.items():
        groups.setdefault(row, []).append(host)
    order = dict((verdict, place) for place, verdict in enumerate(ORDER))
    rows = [
        (verdict, len(groups[row]), reason, holder, fold_names(groups[row]))
        for row in sorted(groups, key=lambda row: (order.get(row[0], len(ORDER)), -len(groups[row]), row))
        for verdict, reason, holder in [row]]
    widths = [max(len(str(row[column])) for row in rows) for column in range(4)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), str(row[1]).rjust(widths[1])]
        # A column that is empty everywhere is left out.
        cells += [row[column].ljust(widths[column]) for column in (2, 3) if widths[column]]
        lines.append('  '.join([''] + cells + [row[4]]))
    return lines


def row_of(answer):
    """`(verdict, reason, holder)` of what a module returned; without a report the reason is why there is none."""
    if answer.get('schema') != 'portwhy.report/1' or 'targets' not in answer:
        message = (str(answer.get('msg') or '').splitlines() or [''])[0].partition('. ')[0]
        return ('no answer', harmless(message if len(message) <= 44 else message[:43] + u'\u2026'), '')
    reason = ''
    deciding = [target for target in answer['targets'] if target['verdict'] == answer['verdict']]
    if deciding and answer['verdict'] in ('fails', 'undetermined'):
        reason = deciding[0]['cause'] or ', '.join(deciding[0]['missing']) or deciding[0]['errno'] or ''
    holders = [holder['unit'] or holder['container'] or holder['command'] for holder in answer.get('holders') or []]
    return (answer['verdict'], harmless(reason), ', '.join(sorted(set(harmless(holder) for holder in holders))))


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'aggregate'
    CALLBACK_NAME = 'portwhy.portwhy.fold'
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super(CallbackModule, self).__init__(*args, **kwargs)
        self.hosts = {}

    def v2_runner_on_ok(self, result):
        self._add(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._add(result)

    def v2_runner_on_unreachable(self, result):
        self.hosts.setdefault(result._host.get_name(), ('no answer', 'unreachable', ''))

    def _add(self, result):
        if result._task.action.split('.')[-1] in ('bind_info', 'bind_check'):
            self.hosts[result._host.get_name()] = row_of(result._result)

    def v2_playbook_on_stats(self, stats):
        if not self.hosts:
            return
        self._display.banner('PORTWHY: %d %s' % (len(self.hosts), 'host' if len(self.hosts) == 1 else 'hosts'))
        for line in table(self.hosts):
            self._display.display(line)
