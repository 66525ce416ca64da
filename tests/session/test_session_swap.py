"""Replacing one model by another: never both in memory; whatever goes wrong, the earlier one is back and answers."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kaggle_magics.errors import CheckpointError, DoesNotFit, OptionError
from kaggle_magics.models import pool
from kaggle_magics.models.engines.protocol import Engine
from kaggle_magics.models.fit.machine import Machine
from kaggle_magics.models.fit.plan import Plan
from kaggle_magics.session import Session
from kaggle_magics.testing import ScriptedEngine

GiB = 2**30


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


@pytest.fixture
def folders(tmp_path: Path, root: Path) -> dict[str, Path]:
    """Two models that are never really loaded."""
    made = {}
    for name in ("first", "second"):
        made[name] = tmp_path / name
        shutil.copytree(root / "kaggle_magics" / "models" / "pocket", made[name])
    return made


class Loader:
    """Stands for the engines: says what is in memory, and fails when it is told to."""

    def __init__(self) -> None:
        self.alive: list[str] = []
        self.most = 0
        self.loads: list[str] = []
        self.failure: Callable[[], None] | None = None
        self.watched: list[weakref.ref[Any]] = []

    def __call__(self, plan: Plan) -> Engine:
        name = plan.checkpoint.name
        weights = ScriptedEngine([name])
        self.watched.append(weakref.ref(weights))
        if self.failure and name == "second":
            self.failure()
        loader = self

        class Counted(ScriptedEngine):
            def close(self) -> None:
                if not self.closed:
                    loader.alive.remove(name)
                super().close()

        self.loads.append(name)
        self.alive.append(name)
        self.most = max(self.most, len(self.alive))
        return Counted([f"I am {name}."])


@pytest.fixture
def loader(monkeypatch: pytest.MonkeyPatch) -> Loader:
    loader = Loader()
    monkeypatch.setattr(pool, "load_engine", loader)
    return loader


def fail(error: BaseException) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


def test_swap_holds_one_model_at_a_time(session: Session, loader: Loader, folders: dict[str, Path]) -> None:
    session.load(folders["first"])
    model = session.load(folders["second"], swap=True)
    assert (loader.most, loader.alive, list(session.loaded)) == (1, ["second"], ["second"])
    assert session.current is model and session.prompt("Who?").text == "I am second."
    session.load(folders["first"])
    assert loader.alive == ["second", "first"], "without swap both stay"


def test_a_taken_name_is_replaced_the_same_way(session: Session, loader: Loader, folders: dict[str, Path]) -> None:
    session.load(folders["first"], name="it")
    session.load(folders["second"], name="it")
    assert loader.most == 1 and session.prompt("Who?", model="it").text == "I am second."


@pytest.mark.parametrize("swap", [{"swap": True}, {"name": "first"}], ids=["swap", "taken name"])
@pytest.mark.parametrize(
    "error",
    [
        CheckpointError("damaged"),
        DoesNotFit("too big"),
        MemoryError(),
        KeyboardInterrupt(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        ValueError("a defect"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_when_the_new_one_fails_the_earlier_one_is_back(
    session: Session, loader: Loader, folders: dict[str, Path], error: BaseException, swap: dict[str, Any]
) -> None:
    beside = session.load(folders["first"], name="beside")
    model = session.load(folders["first"], name="first")
    loader.failure = fail(error)
    wanted = DoesNotFit if isinstance(error, MemoryError | RuntimeError) else type(error)
    with pytest.raises(wanted) as caught:
        session.load(folders["second"], **swap)
    assert list(session.loaded) == ["beside", "first"] and session.current is model
    assert session.prompt("Who?").text == "I am first." and session.model("beside") is beside
    assert loader.watched[2]() is None, "what was half loaded is alive"
    assert caught.value is not None
    loader.failure = None
    session.load(folders["second"], **swap)
    assert session.prompt("Who?").text == "I am second."


def test_a_failure_beside_others_leaves_them_untouched(
    session: Session, loader: Loader, folders: dict[str, Path]
) -> None:
    model = session.load(folders["first"])
    loader.failure = fail(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        session.load(folders["second"])
    assert session.current is model and loader.loads == ["first"]


def test_what_cannot_come_back_is_named(
    session: Session, loader: Loader, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    session.load(folders["first"])

    def break_both() -> None:
        shutil.rmtree(folders["first"])
        monkeypatch.setattr(pool, "load_engine", fail_all)
        raise CheckpointError("damaged", "Attach it again.")

    def fail_all(plan: Plan) -> Engine:
        raise CheckpointError("its files are gone")

    loader.failure = break_both
    with pytest.raises(CheckpointError, match=r"damaged Attach it again. first, .*unloaded now \(its files are gone\)"):
        session.load(folders["second"], swap=True)
    assert not session.loaded and session.current is None


def test_an_adopted_engine_is_not_closed_until_the_new_one_stands(
    session: Session, loader: Loader, folders: dict[str, Path]
) -> None:
    engine = ScriptedEngine(["adopted"])
    session.adopt(engine, name="mine")
    loader.failure = fail(CheckpointError("damaged"))
    with pytest.raises(CheckpointError):
        session.load(folders["second"], swap=True)
    assert not engine.closed and session.prompt("Who?").text == "adopted"
    loader.failure = None
    session.load(folders["second"], swap=True)
    assert engine.closed and list(session.loaded) == ["second"]


def test_the_same_again_only_switches(
    session: Session, loader: Loader, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = session.load(folders["first"])
    session.load(folders["second"])
    # There is no room for another one now: the plan itself would fail.
    monkeypatch.setattr(pool, "make_plan", fail(DoesNotFit("no room")))
    assert session.load(folders["first"]) is first and session.current is first
    assert session.load(folders["first"], swap=True) is first and set(session.loaded) == {"first", "second"}
    session.use("second")
    assert session.load(folders["first"], swap=True) is first and set(session.loaded) == {"first"}
    assert loader.loads == ["first", "second"]


def test_an_option_that_changes_nothing_reloads_nothing_and_a_changed_file_does(
    session: Session, loader: Loader, folders: dict[str, Path]
) -> None:
    first = session.load(folders["first"])
    assert first.plan is not None
    asked = {"context": first.plan.context_length, "dtype": first.plan.dtype, "device": "cpu"}
    assert session.load(folders["first"], **asked) is first
    assert session.load(folders["first"], context=64) is not first
    first = session.load(folders["first"])
    config = folders["first"] / "generation_config.json"
    config.write_text(config.read_text() + "\n")
    assert session.load(folders["first"]) is not first
    assert loader.most == 1


def test_no_reference_means_the_same_again(session: Session, loader: Loader, monkeypatch: pytest.MonkeyPatch) -> None:
    first = session.load()
    monkeypatch.setattr(pool, "make_plan", fail(DoesNotFit("no room")))
    assert session.load() is first


def test_the_room_of_what_leaves_counts_for_what_comes(
    session: Session, loader: Loader, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = session.load(folders["first"])
    model.private = {"cpu": 20 * GiB}
    full = Machine(memory=24 * GiB, available=2**20, cores=1)
    monkeypatch.setattr(pool, "this_machine", lambda: full)
    monkeypatch.setattr("kaggle_magics.models.fit.plan.this_machine", lambda: full)
    with pytest.raises(DoesNotFit):
        session.load(folders["second"])
    assert session.plan(folders["second"], swap=True)
    session.load(folders["second"], swap=True)
    assert list(session.loaded) == ["second"]


def test_names_that_are_none(session: Session, loader: Loader, folders: dict[str, Path]) -> None:
    for name in ("", "  ", 3):
        with pytest.raises(OptionError, match="name must be text"):
            session.load(folders["first"], name=name)  # type: ignore[arg-type]
