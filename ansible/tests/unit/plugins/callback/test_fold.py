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
