"""What a Worker takes."""

from __future__ import annotations

from typing import Any

import pytest

import graftwire


@pytest.mark.parametrize(
    ("what", "options", "sentence"),
    [
        ("shop", {}, 'as in "package.module:Class"'),
        ("shop:Shop.inner", {}, 'as in "package.module:Class"'),
        ("hunter2 hunter2", {}, 'as in "package.module:Class"'),
        ("__main__:Shop", {}, "put what it runs into a module"),
        ("shop:Shop", {"count": 0}, "at least 1 process"),
        ("shop:Shop", {"memory": 0}, "a number of bytes"),
        ("shop:Shop", {"hang": 0.0}, "hang of a worker is a number of seconds above 0"),
        ("shop:Shop", {"stop": float("nan")}, "stop of a worker is a number of seconds above 0"),
    ],
)
def test_what_makes_no_sense(what: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(graftwire.Error, match=sentence) as told:
        graftwire.Worker(what, **options)
    assert "hunter2" not in str(told.value)
