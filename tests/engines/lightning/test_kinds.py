import datetime as dt

import lightning as L
import numpy as np
import pytest

from art_training.engines.lightning.kinds import require_kinds
from art_training.errors import SetupError


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"max_epochs": "30"},
            "trainer has max_epochs='30', which is a text, where a whole number or None is needed; write 30",
        ),
        ({"max_epochs": 2.5}, "max_epochs=2.5, which is a float, where a whole number or None is needed"),
        ({"gradient_clip_val": "much"}, "gradient_clip_val='much', which is a text, where a whole number or a number"),
        ({"log_every_n_steps": [5]}, "log_every_n_steps=\\[5\\], which is a list"),
        (
            {"enable_model_summary": "no"},
            "enable_model_summary='no', which is a text, where True or False or None is needed",
        ),
        ({"limit_val_batches": "0.5"}, "limit_val_batches='0.5'.*; write 0.5"),
    ],
)
def test_a_setting_of_the_wrong_kind_is_told_with_its_value_and_what_it_must_be(settings, told) -> None:
    with pytest.raises(SetupError, match=told) as raised:
        require_kinds(L.Trainer, settings)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_epochs": np.int64(3), "gradient_clip_val": np.float32(0.5), "enable_model_summary": np.True_},
        {"max_epochs": 3.0, "max_time": dt.timedelta(minutes=1), "devices": [0], "precision": "bf16-mixed"},
        {"deterministic": 3, "fast_dev_run": 2, "barebones": 0},
        {"max_epochs": None, "callbacks": object(), "not_a_setting": 1},
    ],
)
def test_what_lightning_takes_is_left_to_it(settings) -> None:
    require_kinds(L.Trainer, settings)
