# Copyright the portwhy developers
# SPDX-License-Identifier: Apache-2.0
"""One call of portwhy and one parse of its report. No rule of the kernel is repeated here."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import json

SCHEMA = 'portwhy.report/1'

# Exit status -> verdict of the whole call, as portwhy(1) has them.
VERDICTS = {0: 'ok', 1: 'fails', 2: 'undetermined'}

OURS_KEYS = ('unit', 'user', 'container', 'cwd', 'exe', 'pid', 'pidfile')

PLAN_OPTIONS = dict(
    target=dict(type='list', elements='str', required=True),
    reuseaddr=dict(type='bool', default=False),
    reuseport=dict(type='bool', default=False),
    v6only=dict(type='bool'),
    runtime=dict(type='str'),
    device=dict(type='str'),
    netns=dict(type='str'),
    user=dict(type='str'),
    ours=dict(type='list', elements='dict', default=[]),
    deep=dict(type='bool', default=False),
    probe=dict(type='bool', default=False),
    bpf=dict(type='bool', default=True),
    full=dict(type='bool', default=False),
    executable=dict(type='path', default='portwhy'),
)


class BadParameter(Exception):
    """A parameter that portwhy could not be given."""


def words(params, check_mode=False):
    """The words after the program's name for these module parameters."""
    result = ['--json']
    for name in ('reuseaddr', 'reuseport', 'deep'):
        if params.get(name):
            result.append('--' + name)
    if params.get('probe') and not check_mode:
        result.append('--probe')
    if params.get('bpf') is False:
        result.append('--no-bpf')
    if params.get('v6only') is not None:
        result.append('--v6only' if params['v6only'] else '--no-v6only')
    for name, option in (('runtime', 'runtime'), ('device', 'device'), ('netns', 'netns'), ('user', 'uid')):
        if params.get(name) is not None:
            result.append('--%s=%s' % (option, params[name]))
    for predicate in params.get('ours') or []:
        result.append('--ours=' + ours_word(predicate))
    items = [str(item) for item in params['target']]
    for item in items:
        if not item or item.startswith('-'):
            raise BadParameter('target "%s" is neither a port nor an address with a port' % item)
    if not items:
        raise BadParameter('target is empty')
    return result + [','.join(items)]


def ours_word(predicate):
    """`unit=nginx.service` for `{unit: nginx.service}`."""
    given = dict((key, value) for key, value in predicate.items() if value is not None)
    if len(given) != 1 or list(given)[0] not in OURS_KEYS:
        raise BadParameter('ours: %s is not one of %s with a value' % (
            json.dumps(predicate, sort_keys=True), ', '.join(OURS_KEYS)))
    key, value = list(given.items())[0]
    return '%s=%s' % (key, value)


def parse(text):
    """The report in what portwhy printed."""
    try:
        report = json.loads(text)
    except ValueError as error:
        raise ValueError('portwhy printed no JSON: %s' % error)
    if not isinstance(report, dict) or report.get('schema') != SCHEMA:
        raise ValueError('portwhy printed a report of schema "%s", not "%s"' % (
            report.get('schema') if isinstance(report, dict) else None, SCHEMA))
    return report


def summary(report, status):
    """What a play needs of a report: verdict, targets, holders."""
    targets = [_target(target) for target in report['targets']]
    verdict = VERDICTS.get(status, 'undetermined')
    if verdict == 'ok' and any(target['verdict'] == 'ours' for target in targets):
        verdict = 'ours'
    return dict(
        verdict=verdict, targets=targets, holders=_holders(report), version=report.get('version'),
        schema=report.get('schema'), hostname=report['host'].get('hostname'))


def explanation(text):
    """`(first line, all lines)` of portwhy's screen, the wrapped first sentence put together."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    head = []
    for line in lines:
        if not line.strip():
            break
        head.append(line.strip())
    return ' '.join(head), lines


def message(result, head=''):
    """One line for a play that stops: what would happen, why, and what to do first; `head` is the screen's first line."""
    parts = []
    for target in result['targets']:
        if target['verdict'] in ('ok', 'ours', None):
            continue
        text = target['headline'] or (
            head if len(result['targets']) == 1 and head else
            '%s/%s: %s' % (target['port'], target['protocol'], target['verdict']))
        if target['why']:
            text += ': ' + '; '.join(target['why'][:2])
        if target['do']:
            text += '; do: ' + target['do'][0]
        if target['missing']:
            text += '; missing: ' + ', '.join(target['missing'])
        parts.append(text)
    return ' | '.join(parts)


def listeners(report):
    """One fact a listening or bound socket, flat."""
    found = []
    for target in report['targets']:
        for socket in target['sockets']:
            if socket['state'] not in ('LISTEN', 'BOUND'):
                continue
            process = (socket['processes'] or [{}])[0]
            found.append(dict(
                port=socket['local_port'], protocol=socket['protocol'], address=socket['local_address'],
                reuseaddr=socket['reuseaddr'], reuseport=socket['reuseport'], command=process.get('command'),
                unit=process.get('unit'), container=process.get('container'), uid=socket['uid'],
                source=(socket.get('sources') or {}).get('reuseaddr')))
    return found


def _target(target):
    attempts = target['attempts']
    # The attempt that decides: the first that fails, else the first that is undetermined, else the first.
    planned = target['plan']
    ranked = sorted(range(len(attempts)), key=lambda index: (_rank(attempts[index], planned), index))
    attempt = attempts[ranked[0]] if ranked else {}
    outcome = _planned(attempt, planned)
    return dict(
        port=target['port'], protocol=target['protocol'], verdict=target['verdict'], errno=target['errno'],
        cause=attempt.get('cause'), headline=attempt.get('headline'), why=attempt.get('why') or [],
        do=[_suggestion(suggestion) for suggestion in attempt.get('suggestions') or []],
        missing=sorted(set(_words(outcome.get('missing') or []))))


def _words(missing):
    """`reuseport` for `reuseport:0`: which socket it is of, the report says."""
    return [str(entry).partition(':')[0] for entry in missing]


def _suggestion(suggestion):
    text = suggestion['text']
    return '%s: %s' % (text, suggestion['command']) if suggestion.get('command') else text


def _planned(attempt, plan):
    for outcome in attempt.get('outcomes') or []:
        if outcome['reuseaddr'] == plan['reuseaddr'] and outcome['reuseport'] == plan['reuseport']:
            return outcome
    return {}


def _rank(attempt, plan):
    outcome = _planned(attempt, plan)
    results = [outcome.get('bind'), outcome.get('listen')]
    if any(result not in ('ok', 'undetermined', None) for result in results):
        return 0
    return 1 if 'undetermined' in results else 2


def _holders(report):
    found = []
    # Many processes may hold many sockets: they are compared with none but their like.
    known = set()
    for target in report['targets']:
        for socket in target['sockets']:
            for process in socket['processes']:
                holder = dict(
                    pid=process['pid'], command=process['command'], unit=process['unit'],
                    container=process['container'], user=socket['user'], started=process.get('started_at'),
                    reuseaddr=socket['reuseaddr'], reuseport=socket['reuseport'])
                key = tuple(sorted((name, repr(value)) for name, value in holder.items()))
                if key not in known:
                    known.add(key)
                    found.append(holder)
    return found


class Program(object):
    """portwhy on the host, from a module; ends the module where there is no answer."""

    def __init__(self, module, arguments):
        self.module = module
        self.words = arguments
        executable = module.params['executable']
        self.path = module.get_bin_path(executable) or executable

    def answer(self):
        """`(report, exit status)`."""
        status, out, err = self.run(self.words)
        if status not in VERDICTS or (not out.strip() and err.strip()):
            self.refuse(status, err)
        self.text = out
        try:
            return parse(out), status
        except ValueError as error:
            self.module.fail_json(msg=str(error), rc=status, stderr=err)

    def read(self, reader, report, *more):
        """What `reader` makes of a report that may be of any version, and of anybody."""
        try:
            return reader(report, *more)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            self.module.fail_json(msg='the report of portwhy %s is not one that this collection can read (%s): %s' % (
                report.get('version'), '%s: %s' % (type(error).__name__, error),
                'the role portwhy.portwhy.install brings the version that fits'))

    def run(self, arguments, data=None):
        try:
            return self.module.run_command([self.path] + arguments, handle_exceptions=False, data=data)
        except (IOError, OSError) as error:
            problem = 'is not on the host' if error.errno == errno.ENOENT else 'cannot be run: %s' % error.strerror
            self.module.fail_json(msg='%s %s. The role portwhy.portwhy.install puts it there.' % (self.path, problem))

    def refuse(self, status, err):
        text = (err or '').strip()
        if text.startswith('portwhy: '):
            text = text[len('portwhy: '):]
        if status == 77:
            text += ' (set "become: true" for the task)'
        elif status == 64:
            text = 'portwhy does not take these parameters: ' + text
        self.module.fail_json(msg=text or 'portwhy ended with status %s' % status, rc=status, stderr=err)


class Overview(Program):
    """Every port in use."""

    def __init__(self, module):
        netns = module.params['netns']
        super(Overview, self).__init__(module, ['--json'] + (['--netns=' + netns] if netns is not None else []))

    def listeners(self):
        report, dummy = self.answer()
        return self.read(listeners, report)


class Asked(Program):
    """A question about the planned bind."""

    def __init__(self, module, extra=None):
        try:
            arguments = (extra or []) + words(module.params, module.check_mode)
        except BadParameter as error:
            module.fail_json(msg=str(error))
        super(Asked, self).__init__(module, arguments)

    def result(self):
        """What the play gets."""
        report, status = self.answer()
        result = dict(self.read(summary, report, status), changed=False)
        if self.module.check_mode and self.module.params['probe']:
            result['probe_skipped'] = True
        if self.module.params['full']:
            result['report'] = report
        return result

    def screen(self):
        """What portwhy prints for people about the answer it gave; the host is not asked again."""
        status, out, dummy = self.run(['--from=-', '--color=never'], data=self.text)
        return out if status in VERDICTS else ''
