# Copyright the portwhy developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

import pytest

from ansible_collections.portwhy.portwhy.plugins.module_utils import portwhy


def params(**given):
    return dict(
        dict((name, spec.get('default')) for name, spec in portwhy.PLAN_OPTIONS.items()), target=['8080'], **given)


def outcome(bind, reuseaddr=False, reuseport=False, missing=()):
    return dict(reuseaddr=reuseaddr, reuseport=reuseport, bind=bind, listen=None, missing=list(missing))


def report(verdict='fails', attempts=None, sockets=()):
    return dict(
        schema=portwhy.SCHEMA, version='0.2.0', host=dict(hostname='web1'),
        targets=[dict(
            protocol='tcp', port=8080, verdict=verdict, errno='EADDRINUSE' if verdict == 'fails' else None,
            plan=dict(reuseaddr=False, reuseport=False), sockets=list(sockets), attempts=attempts or [])])


class TestWords:
    def test_plain(self):
        assert portwhy.words(params()) == ['--json', '8080']

    def test_every_option(self):
        given = params(
            reuseaddr=True, reuseport=True, v6only=False, runtime='node', device='eth0', netns='web', user='www-data',
            deep=True, probe=True, bpf=False, ours=[dict(unit='a.service'), dict(pid=7)])
        given['target'] = ['8080', '53/udp']
        assert portwhy.words(given) == [
            '--json', '--reuseaddr', '--reuseport', '--deep', '--probe', '--no-bpf', '--no-v6only', '--runtime=node',
            '--device=eth0', '--netns=web', '--uid=www-data', '--ours=unit=a.service', '--ours=pid=7', '8080,53/udp']

    def test_probe_is_left_out_in_check_mode(self):
        assert '--probe' not in portwhy.words(params(probe=True), check_mode=True)

    @pytest.mark.parametrize('target', ['-q', '', '--probe'])
    def test_a_target_is_never_an_option(self, target):
        with pytest.raises(portwhy.BadParameter):
            portwhy.words(dict(params(), target=[target]))

    @pytest.mark.parametrize('ours', [{}, {'unit': 'a', 'pid': 1}, {'name': 'x'}, {'unit': None}])
    def test_a_predicate_has_one_known_key(self, ours):
        with pytest.raises(portwhy.BadParameter):
            portwhy.words(params(ours=[ours]))

    def test_a_value_that_begins_with_a_dash_stays_a_value(self):
        assert '--runtime=-q' in portwhy.words(params(runtime='-q'))


class TestParse:
    def test_report(self):
        assert portwhy.parse(json.dumps(report()))['version'] == '0.2.0'

    @pytest.mark.parametrize('text', ['', 'nonsense', '[]', '{}', '{"schema": "portwhy.report/9"}', '7'])
    def test_nonsense(self, text):
        with pytest.raises(ValueError):
            portwhy.parse(text)


class TestSummary:
    def test_the_failing_attempt_speaks(self):
        works = dict(outcomes=[outcome('ok')], cause=None, why=[], suggestions=[], headline='it works')
        fails = dict(
            outcomes=[outcome('EADDRINUSE')], cause='listener', why=['nginx (pid 812) listens'], headline='8080/tcp is taken',
            suggestions=[dict(text='stop nginx', command='systemctl stop nginx.service'), dict(text='wait', command=None)])
        found = portwhy.summary(report(attempts=[works, fails]), 1)
        assert found['verdict'] == 'fails' and found['hostname'] == 'web1'
        target = found['targets'][0]
        assert target['cause'] == 'listener'
        assert target['do'] == ['stop nginx: systemctl stop nginx.service', 'wait']
        assert portwhy.message(found) == (
            '8080/tcp is taken: nginx (pid 812) listens; do: stop nginx: systemctl stop nginx.service')

    def test_undetermined_lists_what_is_missing(self):
        attempt = dict(outcomes=[outcome('undetermined', missing=['reuseaddr:0', 'reuseaddr:1'])])
        found = portwhy.summary(report('undetermined', [attempt]), 2)
        assert found['verdict'] == 'undetermined' and found['targets'][0]['missing'] == ['reuseaddr']
        assert 'missing: reuseaddr' in portwhy.message(found)

    def test_ours_is_told_from_ok(self):
        assert portwhy.summary(report('ours'), 0)['verdict'] == 'ours'
        assert portwhy.summary(report('ok'), 0)['verdict'] == 'ok'
        assert portwhy.message(portwhy.summary(report('ours'), 0)) == ''

    def test_each_holder_once(self):
        process = dict(pid=812, command='nginx', unit='nginx.service', container=None)
        socket = dict(
            state='LISTEN', local_port=8080, local_address='0.0.0.0', protocol='tcp', reuseaddr=True, reuseport=False,
            user='root', uid=0, processes=[process], sources=dict(reuseaddr='getsockopt'))
        found = portwhy.summary(report(sockets=[socket, socket]), 1)
        assert [holder['pid'] for holder in found['holders']] == [812]
        closed = dict(socket, state='TIME_WAIT', processes=[])
        facts = portwhy.listeners(report(sockets=[socket, closed]))
        assert facts == [dict(
            port=8080, protocol='tcp', address='0.0.0.0', reuseaddr=True, reuseport=False, command='nginx',
            unit='nginx.service', container=None, uid=0, source='getsockopt')]


class Stopped(Exception):
    """fail_json ends a module."""


class FakeModule:
    """A module on a host whose portwhy ends like this."""

    def __init__(self, status=0, out='', err='', error=None, check_mode=False, **given):
        self.params = params(**given)
        self.check_mode = check_mode
        self.end = (status, out, err)
        self.error = error
        self.calls = []

    def get_bin_path(self, name):
        return None

    def run_command(self, words, handle_exceptions=True, data=None):
        self.calls.append((words, data))
        if self.error:
            raise self.error
        return self.end

    def fail_json(self, **result):
        raise Stopped(result['msg'])


def stopped(**given):
    with pytest.raises(Stopped) as caught:
        portwhy.Asked(FakeModule(**given)).result()
    return str(caught.value)


class TestAsked:
    def test_the_answer_and_its_screen_are_of_one_look(self):
        text = json.dumps(report('ok', attempts=[dict(outcomes=[outcome('ok')])]))
        module = FakeModule(0, text)
        asked = portwhy.Asked(module)
        assert asked.result()['verdict'] == 'ok'
        asked.screen()
        assert module.calls == [
            (['portwhy', '--json', '8080'], None), (['portwhy', '--from=-', '--color=never'], text)]

    def test_check_mode_says_that_it_did_not_probe(self):
        text = json.dumps(report('ok'))
        assert portwhy.Asked(FakeModule(0, text, check_mode=True, probe=True)).result()['probe_skipped'] is True
        assert 'probe_skipped' not in portwhy.Asked(FakeModule(0, text, probe=True)).result()
        assert 'probe_skipped' not in portwhy.Asked(FakeModule(0, text, check_mode=True)).result()

    def test_the_whole_report_comes_only_where_it_is_asked_for(self):
        text = json.dumps(report('ok'))
        assert portwhy.Asked(FakeModule(0, text, full=True)).result()['report'] == report('ok')
        assert 'report' not in portwhy.Asked(FakeModule(0, text)).result()

    @pytest.mark.parametrize('error, problem', [
        (OSError(2, 'No such file or directory'), 'is not on the host'),
        (OSError(8, 'Exec format error'), 'cannot be run: Exec format error'),
    ])
    def test_a_host_without_portwhy_names_the_role(self, error, problem):
        assert stopped(error=error) == 'portwhy %s. The role portwhy.portwhy.install puts it there.' % problem

    @pytest.mark.parametrize('status, err, message', [
        (64, 'portwhy: --runtime "x" is unknown', 'portwhy does not take these parameters: --runtime "x" is unknown'),
        (77, 'portwhy: no permission', 'no permission (set "become: true" for the task)'),
        (70, 'portwhy: the kernel said nothing', 'the kernel said nothing'),
        (127, '', 'portwhy ended with status 127'),
        (-11, '', 'portwhy ended with status -11'),
        (2, 'sh: portwhy: bad interpreter', 'sh: portwhy: bad interpreter'),
    ])
    def test_what_is_no_answer_ends_the_task(self, status, err, message):
        assert stopped(status=status, err=err) == message

    @pytest.mark.parametrize('out, said', [
        ('Welcome to this host', 'no JSON'), ('', 'no JSON'), ('[1]', 'schema "None"'),
        ('{"schema": "portwhy.report/2"}', 'schema "portwhy.report/2"'),
        ('{"schema": "portwhy.report/1"}', 'of portwhy None is not one'),
        ('{"schema": "portwhy.report/1", "version": "9.0", "targets": 7, "host": {}}', 'of portwhy 9.0 is not one'),
        ('{"schema": "portwhy.report/1", "version": "9.0", "targets": [{}], "host": []}', 'of portwhy 9.0 is not one'),
    ])
    def test_nonsense_ends_the_task_with_a_sentence(self, out, said):
        assert said in stopped(out=out)

    def test_a_bad_parameter_asks_nothing(self):
        module = FakeModule(ours=[dict(name='x')])
        with pytest.raises(Stopped):
            portwhy.Asked(module)
        assert module.calls == []
