"""Files come in blocks of whole lines: where they are cut, and how large they are, changes nothing."""

import gzip
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.conflict_rule import ConflictRule
from services.ingest import assembly
from services.ingest.files.text_file import LineBlock, open_file
from tests.ingest.conftest import HEADER, START_S, Read, rejected, rows_of

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("blocks") / "file"


@given(
    st.lists(st.text("ab,\u20ac\x0b\u2028", max_size=5), min_size=1), st.sampled_from(["\n", "\r\n", "\r"])
)
def test_blocks_are_whole_lines_wherever_they_are_cut(file: Path, lines: list[str], end: str) -> None:
    # More than the head, which is read at once.
    lines = ["x" * 65_600, *lines]
    file.write_bytes(gzip.compress("".join(line + end for line in lines).encode(), 1))
    for block_bytes in (1, 2, 3, 7):
        with open_file(file, block_bytes=block_bytes) as opened:
            blocks = list(opened.blocks())
        assert b"".join(block.content for block in blocks).decode() == "".join(f"{line}\n" for line in lines)
        numbers = [
            1 + sum(block.content.count(b"\n") for block in blocks[:place]) for place in range(len(blocks))
        ]
        assert [block.first_line for block in blocks] == numbers
        assert len(blocks) > len(lines) // 8


def test_a_last_line_without_end_and_a_mark_at_the_beginning_are_no_matter(file: Path) -> None:
    file.write_bytes("\ufeffa\nb".encode())
    with open_file(file) as opened:
        assert opened.head() == "a\nb"
        assert list(opened.blocks()) == [LineBlock(1, b"a\nb\n")]


def test_progress_is_reported_in_the_files_bytes(file: Path) -> None:
    file.write_bytes(gzip.compress(b"line\n" * 100_000))
    reported: list[tuple[int, int]] = []
    with open_file(file, lambda *done: reported.append(done), block_bytes=100_000) as opened:
        assert sum(block.content.count(b"\n") for block in opened.blocks()) == 100_000
    size = file.stat().st_size
    assert reported == sorted(reported)
    assert reported[-1] == (size, size)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["2", "2.5", "bad"])), min_size=1),
    st.sampled_from([ConflictRule.REPLACE, ConflictRule.KEEP]),
)
def test_rows_that_are_brought_together_early_give_the_same(
    read: Read, rows: list[tuple[int, str]], rule: ConflictRule
) -> None:
    lines = [f"{START_S + 3600 * hour},{price},3,1,2,0\n" for hour, price in rows]
    at_once = read(HEADER + "".join(lines), rule)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(assembly, "_ROWS_TOGETHER", 1)
        # Every block is brought together with those before: the head's, and then one or more.
        padding = "\n" * 65_600
        in_parts = read(HEADER + "".join(lines[:2]) + padding + "".join(lines[2:]), rule)
    assert rows_of(in_parts) == rows_of(at_once)
    assert in_parts.rejected + in_parts.duplicates == at_once.rejected + at_once.duplicates
    bad = [reason for _, reason in rejected(at_once) if "bad" in reason]
    assert [reason for _, reason in rejected(in_parts) if "bad" in reason] == bad


def test_only_the_first_rejections_are_kept_and_all_are_counted(read: Read) -> None:
    reading = read(HEADER + "x,1,1,1,1,1\n" * 25_000 + f"{START_S},1,1,1,1,1\n")
    assert (reading.rejected, len(reading.rejections)) == (25_000, assembly.MAX_REJECTIONS)
    assert [reading.rejections[0].line, reading.rejections[-1].line] == [2, 10_001]
    assert len(reading.candles) == 1


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(repeats: int) -> int:
        path = tmp_path / f"{repeats}.csv"
        with path.open("w") as file:
            file.write(HEADER)
            hours = "".join(f"{START_S + 3600 * hour},2.5,3.5,1.5,2.25,1000.125\n" for hour in range(20_000))
            file.writelines(hours for _ in range(repeats))
        finished = subprocess.run(
            [sys.executable, "-m", "tests.ingest.test_text_file", str(path)],
            cwd=PROJECT,
            check=True,
            capture_output=True,
            text=True,
        )
        candles, duplicates, kilobytes = map(int, finished.stdout.split())
        assert (candles, duplicates) == (20_000, 20_000 * (repeats - 1))
        return kilobytes

    # 7 MB and 70 MB of text.
    assert peak(80) < 1.25 * peak(8)


def _measure(path: Path) -> None:
    from backcast_engine.interval import Interval
    from services.ingest.detect import read_file  # in the child only

    reading = read_file(path, Interval.HOUR_1, now_s=2**31)
    print(len(reading.candles), reading.duplicates, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


if __name__ == "__main__":
    _measure(Path(sys.argv[1]))
