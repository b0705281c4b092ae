# Copyright the portwhy developers
# SPDX-License-Identifier: Apache-2.0

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible_collections.portwhy.portwhy.plugins.callback import fold


@pytest.mark.parametrize('names, folded', [
    (['web1'], 'web1'),
    (['web1', 'web2', 'web3', 'web10'], 'web[1-3,10]'),
    (['web001', 'web002', 'web3'], 'web3,web[001-002]'),
    (['a', 'b'], 'a,b'),
    (['db1.example', 'db2.example', 'db1.test'], 'db[1-2].example,db1.test'),
    (['web2', 'web1', 'web2'], 'web[1-2]'),
    (['web09', 'web10', 'web100'], 'web100,web[09-10]'),
])
def test_names_are_folded(names, folded):
    assert fold.fold_names(names) == folded


def answer(verdict, cause=None, missing=(), holders=()):
    return dict(
        schema='portwhy.report/1', verdict=verdict,
        targets=[dict(verdict='ok', cause=None, missing=[], errno=None),
                 dict(verdict=verdict, cause=cause, missing=list(missing), errno=None)],
        holders=[dict(unit=unit, container=None, command='nginx') for unit in holders])


@pytest.mark.parametrize('result, row', [
    (answer('ok'), ('ok', '', '')),
    (answer('ours', holders=['portal.service']), ('ours', '', 'portal.service')),
    (answer('fails', 'listener', holders=['b.service', None, 'b.service']), ('fails', 'listener', 'b.service, nginx')),
    (answer('undetermined', missing=['reuseport', 'bind-order']), ('undetermined', 'reuseport, bind-order', '')),
    (dict(failed=True, msg='portwhy is not on the host. The role'), ('no answer', 'portwhy is not on the host', '')),
    (dict(failed=True, msg='x' * 70 + '\nmore'), ('no answer', 'x' * 43 + u'\u2026', '')),
    (dict(failed=True), ('no answer', '', '')),
    (answer('fails', u'a\nb', holders=[u'\x1b[31mred.service', u'\u202egnp.service', u'caf\xe9.service']),
     ('fails', '\\x0a'.join('ab'), u', '.join(['\\u{202e}gnp.service', '\\x1b[31mred.service', u'caf\xe9.service']))),
    (dict(failed=True, msg=u'\x1b]0;x\x07'), ('no answer', '\\x1b]0;x\\x07', '')),
])
def test_a_host_is_a_row(result, row):
    assert fold.row_of(result) == row


def test_hosts_that_end_alike_are_one_line():
    hosts = dict(('web%d' % number, ('ok', '', '')) for number in range(1, 12))
    hosts.update(db1=('fails', 'listener', 'nginx.service'), db2=('fails', 'listener', 'nginx.service'))
    hosts.update(db3=('fails', 'time-wait', ''), lab=('no answer', 'unreachable', ''), app=('ours', '', 'portal.service'))
    assert [line.rstrip() for line in fold.table(hosts)] == [
        '  ok         11                               web[1-11]',
        '  ours        1               portal.service  app',
        '  fails       2  listener     nginx.service   db[1-2]',
        '  fails       1  time-wait                    db3',
        '  no answer   1  unreachable                  lab',
    ]
    assert fold.table(dict(a=('ok', '', ''))) == ['  ok  1  a']
