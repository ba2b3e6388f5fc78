"""Fixtures: a scratch repository in each mode, copied from one made once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .scratch import Scratch, clean_environment, make_keys, make_scratch


@pytest.fixture(autouse=True, scope="package")
def environment() -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(clean_environment())
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="package")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="package")
def models(environment: None, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scratch]:
    modes = ("recorded", "signed")
    return {mode: make_scratch(tmp_path_factory.mktemp(mode) / "repo", mode, keys) for mode in modes}


def copy_of(model: Scratch, root: Path) -> Scratch:
    subprocess.run(["cp", "-a", str(model.root), str(root)], check=True)
    scratch = Scratch(root, model.mode, model.keys)
    scratch.base = model.base
    scratch.git("update-index", "-q", "--refresh")
    return scratch


@pytest.fixture(params=["recorded", "signed"])
def repo(request: pytest.FixtureRequest, models: dict[str, Scratch], tmp_path: Path) -> Scratch:
    return copy_of(models[request.param], tmp_path / "repo")


@pytest.fixture
def signed(models: dict[str, Scratch], tmp_path: Path) -> Scratch:
    return copy_of(models["signed"], tmp_path / "repo")


@pytest.fixture
def recorded(models: dict[str, Scratch], tmp_path: Path) -> Scratch:
    return copy_of(models["recorded"], tmp_path / "repo")
