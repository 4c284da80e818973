"""Databases that hold Optuna studies: from the text that a person gives to an open storage, or to what is wrong with it."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
import sqlalchemy
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from shoal.errors import OptionError, Problem

FILE = "study.db"
"""The study of a run, in the run's folder."""

WAIT_SECONDS = 60
"""How long a process waits for another one that writes to the same SQLite file."""
CONNECT_SECONDS = 10

_PACKAGES = {
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "pymysql": "pymysql",
    "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
}
_EXAMPLE = "sqlite:///trials.db or postgresql://user@host/database"
_NEWEST_DRIVERS = ("psycopg", "psycopg2", "pymysql", "mysqldb")
"""Those that know ``connect_timeout``."""

STORAGE_ERRORS = (SQLAlchemyError, sqlite3.Error, optuna.exceptions.OptunaError, OSError, RuntimeError)
"""What a storage raises when it cannot be reached, is full, locked or damaged."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a study is kept.

    Args:
        url: of the database, as SQLAlchemy and Optuna write them.
        study: the study's name; ``None`` where the database is to hold one only.
        path: of an SQLite file whose name may hold what a URL may not.

    Example:
        >>> Address.of("sqlite:////tmp/trials.db#first")
        Address(url='sqlite:////tmp/trials.db', study='first', path=None)
    """

    url: str
    study: str | None = None
    path: Path | None = None

    @classmethod
    def of(cls, text: str) -> Address:
        """The address that a person wrote: a URL or the path of an SQLite file, with ``#NAME`` behind it for one of several studies."""
        if "://" not in text and Path(text).is_file():
            return cls.of_file(Path(text))
        url, _, study = text.partition("#")
        return cls(url, study or None) if "://" in url else cls.of_file(Path(url), study or None)

    @classmethod
    def of_file(cls, path: Path, study: str | None = None) -> Address:
        """The address of an SQLite file."""
        return cls(f"sqlite:///{path.absolute()}", study, path)

    def __str__(self) -> str:
        """As it may be shown: without the password."""
        return str(self.path) if self.path is not None else sqlalchemy.make_url(self.url).render_as_string(hide_password=True)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; ``None`` for a server's."""
        if self.path is not None:
            return self.path
        parsed = sqlalchemy.make_url(self.url)
        plain = parsed.get_backend_name() == "sqlite" and not parsed.query and not (parsed.database or ":").startswith((":", "file:"))
        return Path(str(parsed.database)) if plain else None

    def open(self, *, new: bool) -> Opened:
        """The database, ready for studies.

        Args:
            new: whether tables (and the file of an SQLite database) are made where there are none yet.

        Raises:
            Exception: one of ``STORAGE_ERRORS``, or an ``ImportError`` where the driver is missing; ``cannot_open`` puts them into words.
        """
        arguments = self._arguments(new)
        url = self.url if "creator" not in arguments else "sqlite:///study.db"  # a path may hold what a URL may not
        with _quiet():
            storage = optuna.storages.RDBStorage(url, engine_kwargs=dict(arguments), skip_table_creation=not new)
        return Opened(self, storage, sqlalchemy.create_engine(url, **arguments))

    def _arguments(self, new: bool) -> dict[str, Any]:
        """Of SQLAlchemy's engine."""
        if self.file is None:
            driver = sqlalchemy.make_url(self.url).get_driver_name()
            wait = {"connect_args": {"connect_timeout": CONNECT_SECONDS}} if driver in _NEWEST_DRIVERS else {}
            return {"pool_pre_ping": True, **wait}
        path = quote(str(self.file.absolute()))

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(f"file:{path}?mode={'rwc' if new else 'rw'}", uri=True, timeout=WAIT_SECONDS, check_same_thread=False)

        return {"creator": connect}


@dataclass(frozen=True, slots=True)
class Opened:
    """An open database."""

    address: Address
    storage: optuna.storages.RDBStorage
    """For everything that Optuna does fast enough."""
    engine: sqlalchemy.Engine
    """For many rows at once."""

    def study(self, name: str) -> optuna.Study:
        """The study of this name, made where there is none yet."""
        with _quiet():
            return optuna.create_study(storage=self.storage, study_name=name, direction="minimize", load_if_exists=True)

    def close(self) -> None:
        """Let go of the database."""
        self.storage.remove_session()
        self.storage.engine.dispose()
        self.engine.dispose()


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna says on standard error that it has made a study, and Alembic that it looks at the tables."""
    loggers = {logging.getLogger(name): logging.WARNING for name in ("optuna", "alembic")}
    before = {logger: logger.level for logger in loggers}
    for logger, level in loggers.items():
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)


def storage_problems(url: str) -> list[Problem]:
    """What stands in the way of writing trials to a database, found out by trying; nothing where a search may begin.

    Args:
        url: as given with ``--storage``.

    Example:
        >>> [print(problem) for problem in storage_problems("mongodb://host/trials")]  # doctest: +ELLIPSIS
        --storage is an SQLite file, a PostgreSQL or a MySQL database; received a mongodb database. Write sqlite:///trials.db ...
        [None]
    """
    try:
        parsed = sqlalchemy.make_url(url)
    except (ArgumentError, ValueError):
        return [Problem("--storage is the address of a database", repr(url), f"Write {_EXAMPLE}.")]
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql", "mysql", "mariadb"):
        requirement = "--storage is an SQLite file, a PostgreSQL or a MySQL database"
        return [Problem(requirement, f"a {backend} database", f"Write {_EXAMPLE}.")]
    if "#" in url and backend == "sqlite":
        return [Problem("--storage is the address of a database alone", repr(url), "Give the study's name apart from it.")]
    address = Address(url)
    if backend == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            return [Problem("--storage outlives the search", "an SQLite database in memory", "Name a file: sqlite:///trials.db.")]
        if address.file is not None and not address.file.exists():
            return _new_file_problems(address.file)
    try:
        address.open(new=True).close()
    except (*STORAGE_ERRORS, ImportError) as error:
        return [cannot_open(address, error)]
    return []


def _new_file_problems(path: Path) -> list[Problem]:
    """Whether a file can be made, without making it: the search may be refused for another reason yet."""
    folder = path.absolute().parent
    if not folder.is_dir():
        return [Problem("the folder of the --storage file exists", str(folder), "Make it, or choose another place.")]
    probe = folder / f".{path.name}.tmp"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        return [Problem("the --storage file can be written", f"{error.strerror} in {folder}", "Choose another place.")]
    return []


def cannot_open(address: Address, error: BaseException, option: str = "--storage") -> Problem:
    """What kept a database from being opened, in words."""
    if isinstance(error, NoSuchModuleError):
        return Problem(f"the driver in {option} is known to SQLAlchemy", str(address), f"Write {_EXAMPLE}.")
    if isinstance(error, ImportError):
        module = (error.__cause__ or error).__dict__.get("name") or getattr(error.__cause__ or error, "name", None) or "a driver"
        package = _PACKAGES.get(module.split(".")[0], module)
        requirement = f"the driver of the {option} database is installed"
        return Problem(requirement, f"{address}, which needs {module}", f'Install it: pip install "{package}".')
    why = reason(error)
    if isinstance(error, RuntimeError):  # the tables are of another version of Optuna
        return Problem(
            f"the {option} database has the tables of the Optuna installed", f"{address}: {why}", "Upgrade it, or choose another."
        )
    remedy = "Restore it from a copy, or choose another." if address.file is not None else "Check the address and that the server runs."
    return Problem(f"the {option} database can be opened", f"{address}: {why}", remedy)


def reason(error: BaseException) -> str:
    """The database's own words: the first line of the innermost cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def open_to_read(address: Address, option: str) -> tuple[Opened, optuna.Study]:
    """A study that exists.

    Args:
        address: where.
        option: that named it, for messages.

    Raises:
        OptionError: no such file or database, no such study, or several of which none is named.
    """
    example = f"Write {_EXAMPLE}, with #NAME behind it for one of several studies."
    try:
        file = address.file
        shown = str(address)
    except (ArgumentError, ValueError) as error:
        raise OptionError(Problem(f"{option} is a run, an Optuna storage or its file", repr(address.url), example)) from error
    if file is not None and not file.is_file():
        received = f"{file}, which " + ("is not one" if file.exists() else "does not exist")
        raise OptionError(Problem(f"{option} is a run, an Optuna storage or its file", received, example))
    try:
        opened = address.open(new=False)
        names = sorted(optuna.get_all_study_names(opened.storage))
    except (*STORAGE_ERRORS, ImportError) as error:
        raise OptionError(cannot_open(address, error, option)) from error
    if address.study is None and len(names) == 1:
        return opened, optuna.load_study(study_name=names[0], storage=opened.storage)
    if address.study in names:
        return opened, optuna.load_study(study_name=address.study, storage=opened.storage)
    opened.close()
    there = "There are: " + ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    if not names:
        raise OptionError(Problem(f"{option} holds a study", f"{shown}, which holds none", "Give another database."))
    if address.study is None:
        raise OptionError(Problem(f"{option} names one study", f"{shown}, which holds {len(names)}", f"Write #NAME behind it. {there}."))
    raise OptionError(Problem(f"{option} names a study that exists", repr(address.study), f"{there}."))
