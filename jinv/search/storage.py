"""Storage of searches: Optuna studies in an SQL database, shared by the workers."""

import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import optuna
import sqlalchemy
from optuna.exceptions import (
    DuplicatedStudyError,
    ExperimentalWarning,
    StorageInternalError,
    UpdateFinishedTrialError,
)
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from jinv.configuration import first_difference
from jinv.errors import ConfigError, FolderError
from jinv.former import filled, former_names, renewed

HEARTBEAT, GRACE = 15, 60
"""Seconds between two signs of life of a worker, and without any until its trial is
given to another."""

_ROLE, _CONFIGURATION, _ALIVE = "role", "configuration", "alive"
_OPENING, _ATTEMPTS = 30.0, 5
_DATABASE_FAILED = (SQLAlchemyError, StorageInternalError)


def open_storage(url: str) -> RDBStorage:
    """Connect to a database, and make Optuna's tables if they are missing.

    Args:
        url: Address as SQLAlchemy has them, e.g. `sqlite:///study.db`.

    Raises:
        ConfigError: The database cannot be reached.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=ExperimentalWarning)
    try:
        address = sqlalchemy.make_url(url)
    except ArgumentError:
        raise ConfigError(f"no database address: {url!r}; see --storage") from None
    sqlite = address.get_backend_name() == "sqlite"
    folder = Path(address.database or "").parent
    if sqlite and "uri" not in address.query and not folder.is_dir():
        raise ConfigError(f"cannot use --storage {address}: there is no {folder}")
    for attempt in range(_ATTEMPTS):
        try:
            storage = RDBStorage(
                url,
                engine_kwargs={"connect_args": {"timeout": 60}} if sqlite else None,
                heartbeat_interval=HEARTBEAT,
                grace_period=GRACE,
                heartbeat_stale_trial_callback=_enqueue_again,
            )
            break
        except (ImportError, ArgumentError) as error:
            raise ConfigError(f"cannot use --storage {address}: {error}") from error
        except (SQLAlchemyError, StorageInternalError) as error:
            # Of workers that make the tables together, all but one fail the first time.
            if attempt == _ATTEMPTS - 1:
                reason = str(error.__cause__ or error).splitlines()[0]
                raise ConfigError(
                    f"cannot use --storage {address}: {reason}"
                ) from error
            time.sleep(0.2 * 2**attempt)
    if sqlite:
        _lock_early(storage.engine)
    return storage


def join_study(
    storage: RDBStorage,
    name: str,
    configuration: Mapping[str, Any],
    direction: Literal["maximize", "minimize"],
    queue: Sequence[tuple[str, Mapping[str, Any]]],
    alone: bool = False,
) -> optuna.Study:
    """Begin a study, or join those who work on the same one.

    Args:
        storage: Storage from `open_storage`.
        name: Name of the study.
        configuration: Configuration, with all that its values depend on.
        direction: Direction in which its values should go.
        queue: Queue of the first trials: the role of each, and its parameters.
        alone: Whether nobody else can be about to begin it: one that was begun and
            never described is of a worker that was killed then, and is begun anew.

    Raises:
        FolderError: The study has another configuration.
    """
    if alone and not _is_described(storage, name):
        remove_study(storage, name)
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, direction=direction
        )
    except DuplicatedStudyError:
        study = optuna.load_study(study_name=name, storage=storage)
        found = filled(renewed(_configuration(study), "description"), configuration)
        if difference := first_difference(found, configuration):
            raise FolderError(
                f"the study {name!r} has another configuration ({difference}): give "
                "the same options, --overwrite, another --out, or another --study in "
                "a database that is shared"
            ) from None
        return study
    for role, params in queue:
        enqueue(study, role, params)
    # Last, as it tells others that the queue is complete.
    study.set_user_attr(_CONFIGURATION, configuration)
    return study


def noted_names(study: optuna.Study) -> dict[str, str]:
    """Names by which an earlier version began the study, by today's names of fields."""
    return former_names(study.user_attrs[_CONFIGURATION].get("space", {}), "settings")


def remove_study(storage: RDBStorage, name: str) -> None:
    """Forget a study, if there is one of this name."""
    with suppress(KeyError):
        optuna.delete_study(study_name=name, storage=storage)


@contextmanager
def database_errors() -> Iterator[None]:
    """Say in one line that the database failed, whichever of its layers did.

    Raises:
        FolderError: The database failed.
    """
    before = threading.excepthook

    def hush(failed: threading.ExceptHookArgs) -> None:
        # Signs of life are given by a thread, which meets the same error.
        if not isinstance(failed.exc_value, _DATABASE_FAILED):
            before(failed)

    threading.excepthook = hush
    try:
        yield
    except _DATABASE_FAILED as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise FolderError(
            f"the database of the search cannot be used ({reason}): see to it, e.g. "
            "make room, then the same command goes on"
        ) from error
    finally:
        threading.excepthook = before


def _is_described(storage: RDBStorage, name: str) -> bool:
    try:
        study = optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        return False
    return _CONFIGURATION in study.user_attrs


def role_of(trial: Any) -> str | None:
    """Tell what a trial was queued for; None where a sampler chose it."""
    return trial.user_attrs.get(_ROLE)


def enqueue(study: optuna.Study, role: str | None, params: Mapping[str, Any]) -> None:
    """Queue a trial of some parameters, which comes next."""
    study.enqueue_trial(dict(params), user_attrs={_ROLE: role} if role else None)


def fail_silent_trials(study: optuna.Study) -> None:
    """Give up the trials of workers that were killed before their first sign of life.

    Optuna itself finds those that gave one, and then none.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        begun = trial.datetime_start
        waited = (datetime.now() - begun).total_seconds() if begun else 0.0
        if _ALIVE not in trial.user_attrs and waited > GRACE:
            # Another worker may have done so meanwhile.
            with suppress(ValueError, UpdateFinishedTrialError):
                study.tell(trial.number, state=TrialState.FAIL)
                _enqueue_again(study, trial)


def note_alive(trial: optuna.Trial) -> None:
    """Say that a trial's worker has begun to give signs of life."""
    trial.set_user_attr(_ALIVE, True)


def _enqueue_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Let another trial do what that of a worker that was killed was to do."""
    params = trial.params or trial.system_attrs.get("fixed_params", {})
    enqueue(study, role_of(trial), params)


def _configuration(study: optuna.Study) -> dict[str, Any]:
    """What a study is about, once the worker that begins it has said so."""
    deadline = time.monotonic() + _OPENING
    while (found := study.user_attrs.get(_CONFIGURATION)) is None:
        if time.monotonic() > deadline:
            raise FolderError(
                f"the study {study.study_name!r} was begun, but never described: its "
                "worker was killed, or it is not jinv's; --overwrite begins it anew"
            )
        time.sleep(0.2)
    return found


def _lock_early(engine: sqlalchemy.Engine) -> None:
    """Let transactions lock an SQLite database from their start.

    Optuna reads, decides and writes in one transaction, and relies on locked rows,
    which SQLite does not have: two workers could take the same trial.
    """

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    # Connections made before do not know of this.
    engine.dispose()
