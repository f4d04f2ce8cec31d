"""Damaged tables, packed arrays, weights and documents, given to every stage that reads them."""

import contextlib
import io
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mutation import mutated
from small_study import Stage, stages_below

from brainmri.errors import BrainmriError

# A stage that finds nothing amiss does its work.
SECONDS = 60
# What is rebuilt of a table without its digest, as another tool would write it.
WAYS = ("lose column", "retype column", "empty column", "repeat rows", "lose rows", "odd values", "no rows")
SHAPES = ((3, 32, 64), (10**9, 32, 32), (2**40, 2**40, 32), (-1, 32, 32), (55, 1024), (1, 1, 1), ())


def prepare(folder: Path):
    """Return the attempt with a number: a stage, one of its files, a damage."""
    kept = folder / "kept"
    stages = stages_below(kept)
    if not (kept / "done").exists():
        with quiet():
            for stage in stages.values():
                stage.run()
        (kept / "done").touch()
    cases = [(stage, path) for stage in stages.values() for path in paths_read_by(stage)]

    def attempt(number: int) -> str:
        stage, path = cases[number % len(cases)]
        rng = np.random.default_rng([3, number])
        good = path.read_bytes()
        others = [each.read_bytes() for _, each in cases[:40:5]]
        by_bytes = path.suffix not in (".parquet", ".npy") or rng.random() < 0.5
        scratch = folder / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        writes = {name: scratch / target.name for name, target in stage.writes.items()}
        try:
            if by_bytes:
                path.write_bytes(mutated(good, others, rng))
            elif path.suffix == ".npy":
                write_lying_array(path, good, rng)
            else:
                write_other_table(path, rng)
            changed = path.read_bytes() != good
            with quiet():
                if stage.name == "train":
                    shutil.rmtree(kept / "state" / "checkpoints", ignore_errors=True)
                stage.run(**writes)
            # The truth of a phantom and JSON documents are not sealed, or not looked at before the report.
            is_sealed = path.suffix in (".parquet", ".npy", ".safetensors") and path.stem != "truth"
            assert not (by_bytes and changed and is_sealed), (
                f"{stage.name} took a damaged {path.name} for a whole one"
            )
            return "finished"
        except BrainmriError as error:
            return answered(str(error), stage)
        except Exception as error:
            error.add_note(f"{stage.name}, {path.name}, {'bytes' if by_bytes else 'rebuilt'}")
            raise
        finally:
            path.write_bytes(good)

    return attempt


def answered(message: str, stage: Stage) -> str:
    """Check that a refusal is a sentence."""
    assert len(message) < 1500 and message.rstrip()[-1] in ".)?", message
    assert "\n" not in message.strip() or stage.name == "report", message
    return "sentence"


def paths_read_by(stage: Stage) -> list[Path]:
    """Return each file that a stage reads, once."""
    values = [value if isinstance(value, list) else [value] for value in stage.reads.values()]
    return list(dict.fromkeys(path for paths in values for path in paths))


def write_other_table(path: Path, rng: np.random.Generator) -> None:
    """Rebuild a table as another tool would, without a digest, and with something else in it."""
    table = pq.read_table(path).replace_schema_metadata(None)
    way = WAYS[int(rng.integers(len(WAYS)))]
    name = table.column_names[int(rng.integers(table.num_columns))]
    at = table.column_names.index(name)
    if way == "lose column":
        table = table.drop_columns([name])
    elif way == "retype column":
        others = (
            pa.array([f"x{row}" for row in range(len(table))]),
            pa.array([row + 0.5 for row in range(len(table))]),
            pa.array([[row] for row in range(len(table))]),
            pa.array([b"\xff"] * len(table)),
            pa.array([True] * len(table)),
            pa.array(range(len(table)), pa.timestamp("ns")),
        )
        table = table.set_column(at, name, others[int(rng.integers(len(others)))])
    elif way == "empty column":
        table = table.set_column(at, name, pa.nulls(len(table)))
    elif way == "repeat rows":
        table = pa.concat_tables([table, table.slice(0, int(rng.integers(1, 6)))])
    elif way == "lose rows":
        table = table.slice(int(rng.integers(1, max(2, len(table)))))
    elif way == "no rows":
        table = table.slice(0, 0)
    else:
        table = table.set_column(at, name, odd_values(table[name], rng))
    pq.write_table(table, path)


def odd_values(column: pa.ChunkedArray, rng: np.random.Generator) -> pa.Array:
    """Return a column with one value that no stage would write."""
    values = column.to_pylist()
    if not values:
        return column
    place = int(rng.integers(len(values)))
    kind = column.type
    if pa.types.is_floating(kind):
        values[place] = float(rng.choice([np.nan, np.inf, -1e300]))
    elif pa.types.is_integer(kind):
        values[place] = int(rng.choice([-1, 2**31 - 1, 10**6]))
    elif pa.types.is_string(kind):
        values[place] = ["", "../../etc/passwd", "x" * 5000, "\x1b[2J", values[0]][int(rng.integers(5))]
    else:
        values[place] = None
    return pa.array(values, kind)


def write_lying_array(path: Path, good: bytes, rng: np.random.Generator) -> None:
    """Write a packed array anew: its header lies, it holds other things, or is of another kind."""
    images = np.load(io.BytesIO(good))
    way = int(rng.integers(6))
    if way == 0:
        header = {"descr": "|u1", "fortran_order": False, "shape": SHAPES[int(rng.integers(len(SHAPES)))]}
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            file.write(good[128:])
    elif way == 1:
        np.save(path, images.astype([np.float64, np.int8, np.uint16][int(rng.integers(3))]))
    elif way == 2:
        with path.open("wb") as file:
            np.savez(file, images)
    elif way == 3:
        np.save(path, images[: int(rng.integers(len(images)))])
    elif way == 4:
        np.save(path, np.asfortranarray(images))
    else:
        with path.open("wb") as file:
            np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)


@contextlib.contextmanager
def quiet():
    """Keep what stages say to people from the report."""
    with (
        Path("/dev/null").open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield
