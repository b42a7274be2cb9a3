"""Run the contract of optimizers on every optimizer."""

from __future__ import annotations

import pytest

from marsseg_core.errors import RequestError
from marsseg_core.registry.parameters import configure
from marsseg_core.testing import OptimizerContract
from marsseg_plugins.optimizers.adadelta import Adadelta
from marsseg_plugins.optimizers.adafactor import Adafactor
from marsseg_plugins.optimizers.adagrad import Adagrad
from marsseg_plugins.optimizers.adam import Adam
from marsseg_plugins.optimizers.adamax import Adamax
from marsseg_plugins.optimizers.adamw import AdamW
from marsseg_plugins.optimizers.ftrl import Ftrl
from marsseg_plugins.optimizers.lamb import Lamb
from marsseg_plugins.optimizers.lion import Lion
from marsseg_plugins.optimizers.muon import Muon
from marsseg_plugins.optimizers.nadam import Nadam
from marsseg_plugins.optimizers.rmsprop import RMSprop
from marsseg_plugins.optimizers.sgd import SGD


class TestAdadelta(OptimizerContract):
    component = Adadelta()
    learning_rate = 1.0


class TestAdafactor(OptimizerContract):
    component = Adafactor()


class TestAdagrad(OptimizerContract):
    component = Adagrad()


class TestAdam(OptimizerContract):
    component = Adam()


class TestAdamax(OptimizerContract):
    component = Adamax()


class TestAdamW(OptimizerContract):
    component = AdamW()


class TestFtrl(OptimizerContract):
    component = Ftrl()


class TestLamb(OptimizerContract):
    component = Lamb()


class TestLion(OptimizerContract):
    component = Lion()
    learning_rate = 0.01


class TestMuon(OptimizerContract):
    component = Muon()


class TestNadam(OptimizerContract):
    component = Nadam()


class TestRMSprop(OptimizerContract):
    component = RMSprop()


class TestSGD(OptimizerContract):
    component = SGD()


class TestSGDWithMomentum(OptimizerContract):
    component = SGD(momentum=0.9, nesterov=True)


@pytest.mark.parametrize(
    ("optimizer", "names"),
    [
        (Adam, ("beta_1", "beta_2")),
        (AdamW, ("beta_1", "beta_2")),
        (Lamb, ("beta_1", "beta_2")),
        (Muon, ("adam_beta_1", "adam_beta_2")),
        (Adamax, ("beta_1",)),
        (Nadam, ("beta_2",)),
    ],
)
def test_a_mean_that_is_divided_by_1_minus_its_decay_factor_decays(optimizer, names):
    for name in names:
        with pytest.raises(RequestError, match="expected below 1"):
            configure(optimizer, {name: 1})
