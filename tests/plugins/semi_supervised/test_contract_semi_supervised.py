"""Run the contract of semi-supervised methods on every method."""

from __future__ import annotations

from marsseg_core.testing import MethodContract
from marsseg_plugins.semi_supervised.fixmatch import FixMatch
from marsseg_plugins.semi_supervised.mean_teacher import MeanTeacher
from marsseg_plugins.semi_supervised.pseudo import Pseudo


class TestMeanTeacher(MethodContract):
    component = MeanTeacher(consistency="ce", cutmix=1.0)


class TestPseudo(MethodContract):
    component = Pseudo(runs=("run",), cutmix=0.5)
    labels = "hard"


class TestSoftPseudo(MethodContract):
    component = Pseudo(runs=("a", "b"), soft=True)
    labels = "soft"


class TestPseudoWithoutRuns(MethodContract):
    component = Pseudo(runs=None, rounds=2)
    labels = "hard"


class TestFixMatch(MethodContract):
    component = FixMatch(threshold=0.5)
