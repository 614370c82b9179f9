import json
import os

import matplotlib.image
import pytest

from hofstadter.errors import RunFileError
from hofstadter.models import PRESETS
from tests.sweep.command import write_run_file

pytestmark = pytest.mark.usefixtures("toy")


@pytest.fixture
def file(tmp_path):
    return write_run_file(tmp_path, max_denominator=5)


def test_help_lists_the_commands(hofstadter):
    code, out, _ = hofstadter("--help")
    assert code == 0
    assert all(command in out for command in ("run", "check", "plot", "show", "models", "schema"))


@pytest.mark.parametrize("arguments", [["fly"], ["run"], ["run", "a.yaml", "--fast"], ["plot"]])
def test_wrong_arguments_exit_with_2(hofstadter, arguments):
    assert hofstadter(*arguments)[0] == 2


def test_run_says_what_it_did(hofstadter, file, tmp_path):
    code, out, err = hofstadter("run", file)
    assert (code, out) == (0, f"22 of 22 points are done in {tmp_path / 'run.zarr'} (22 computed now).\n")
    assert "100%" in err  # the progress bar
    code, out, err = hofstadter("run", file, "--quiet")
    assert (code, out, err) == (0, "", "")


def test_run_draws_one_picture_per_point_of_the_sweep(hofstadter, file, tmp_path):
    file.write_text(file.read_text().replace(".zarr}", ".zarr, plots: [butterfly, wannier_diagram]}"))
    code, out, _ = hofstadter("run", file, "-q")
    assert (code, out) == (0, "")
    names = sorted(path.name for path in tmp_path.glob("*.png"))
    assert names == [f"run_{plot}_t2={t2}.png" for plot in ("butterfly", "wannier_diagram") for t2 in (0.0, 0.1)]
    assert matplotlib.image.imread(tmp_path / names[0]).std() > 0.01


def test_a_drawing_that_fails_does_not_hide_the_results(hofstadter, file, monkeypatch):
    file.write_text(file.read_text().replace(".zarr}", ".zarr, plots: [butterfly]}"))
    monkeypatch.setattr("hofstadter.plots.butterfly", lambda *args, **kwargs: 1 / 0)
    code, out, err = hofstadter("run", file)
    assert code == 1
    assert "22 of 22 points are done" in out
    assert "The results are saved, but drawing them failed: ZeroDivisionError: division by zero" in err


def test_failed_points_are_listed(hofstadter, file, monkeypatch):
    monkeypatch.setenv("TOY_FAIL", "4")
    for _ in range(2):
        code, out, err = hofstadter("run", file)
        assert code == 1
        assert "14 of 22 points are done" in out
        assert "Failed: t2 = 0.0, 4 fluxes from 2/3 to 1/5: ArithmeticError: no solution at flux 1/4\n" in err
        assert f"Compute them again with: hofstadter run {file} --retry-failed" in err
    monkeypatch.delenv("TOY_FAIL")
    code, out, _ = hofstadter("run", file, "--retry-failed")
    assert code == 0
    assert "22 of 22 points are done" in out


@pytest.mark.parametrize("command", ["run", "check"])
def test_all_mistakes_of_a_run_file_are_printed(hofstadter, file, command):
    file.write_text("model: {name: honeycomb, tt: 1}\ntask: {name: butterfly, fluxes: [2/4]}\n")
    code, out, err = hofstadter(command, file)
    assert (code, out) == (2, "")
    assert [row.removeprefix(f"{file}:").partition(":")[0] for row in err.splitlines()] == ["1", "1", "2"]


def test_other_bad_input(hofstadter, file, tmp_path):
    assert "cannot be read: No such file" in hofstadter("run", tmp_path / "nothing.yaml")[2]
    code, _, err = hofstadter("run", file, "--executor", "fast")
    assert (code, err) == (2, "The executor 'fast' does not exist. Possible: serial, processes, dask, slurm.\n")
    assert hofstadter("show", tmp_path / "nothing.zarr")[::2] == (
        2,
        f"There is no store {tmp_path / 'nothing.zarr'}.\n",
    )
    assert hofstadter("plot", tmp_path)[::2] == (
        2,
        f"{tmp_path} is not a store of hofstadter (no zarr group can be read there).\n",
    )


def test_overwrite(hofstadter, file):
    hofstadter("run", file)
    file.write_text(file.read_text().replace("t: 1.0", "t: 2.0"))
    code, _, err = hofstadter("run", file)
    assert code == 2
    assert "  `model.t` is 1.0 in the store and 2.0 in the run file.\n" in err
    assert hofstadter("run", file, "--overwrite")[0] == 0


def test_check_says_what_a_run_costs(hofstadter, file, tmp_path):
    code, out, _ = hofstadter("check", file)
    rows = dict(row.split(maxsplit=1) for row in out.splitlines() if row)
    assert code == 0
    assert rows[str(file)] == "is valid."
    assert rows["points"].strip() == "11 fluxes × 2 sweep points"
    assert rows["matrices"].strip() == "about 880"
    assert rows["sizes"].strip() == "2 to 16, 4 padded sizes"
    # 40 matrices of the toy at each of 2 + 1 + 2 + 2 + 4 fluxes, padded to 1, 2, 4, 4 and 8 cells of two orbitals.
    assert float(rows["operations"].split()[1]) == pytest.approx(
        80 * 16 / 3 * (2 * 8 + 64 + 4 * 512 + 4 * 4096), rel=0.1
    )
    assert rows["memory"].startswith("up to 4 GB")
    assert rows["store"].strip() == f"{tmp_path / 'run.zarr'} (new)"
    hofstadter("run", file)
    assert "(there already, 22 of 22 points done)" in hofstadter("check", file)[1]
    file.write_text(file.read_text().replace("t: 1.0", "t: 2.0"))
    assert "(there already, of another run file)" in hofstadter("check", file)[1]


def test_check_does_not_know_the_size_of_a_basis_that_is_searched_for(hofstadter, tmp_path):
    file = tmp_path / "run.yaml"
    text = f"model: {{name: electron_gas}}\ntask: {{name: bands, flux: 1/2}}\noutput: {{store: {tmp_path / 'a'}}}\n"
    for levels, row in (("", "perhaps 128, known when the basis"), (", levels: 20", "20 to 20, 1 padded size")):
        file.write_text(text.replace("1/2", "1/2" + levels))
        code, out, _ = hofstadter("check", file)
        assert code == 0
        assert row in out


def test_show(hofstadter, file, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_FAIL", "4")
    hofstadter("run", file)
    code, out, _ = hofstadter("show", tmp_path / "run.zarr", "--flux", "1/3")
    assert code == 0
    assert "butterfly of honeycomb" in out
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in out.splitlines() if row.startswith("│")]
    assert ["t2=0.0", "7", "4", "11"] in rows
    assert ["all", "14", "8", "22"] in rows
    assert "Failed: t2 = 0.1, 4 fluxes from 2/3 to 1/5: ArithmeticError: no solution at flux 1/4" in out
    assert sum(row[-1] == "ok" for row in rows) == 2 * 5  # gaps at 1/3 of a model with two orbitals
    assert hofstadter("show", tmp_path / "run.zarr", "--run-file")[1] == file.read_text()
    assert "The flux 1/7 is not in this store." in hofstadter("show", tmp_path / "run.zarr", "--flux", "1/7")[2]
    assert "must be coprime" in hofstadter("show", tmp_path / "run.zarr", "--flux", "2/4")[2]


def test_plot(hofstadter, file, tmp_path):
    file.write_text(file.read_text().replace("sweep:", "#"))
    hofstadter("run", file)
    out = tmp_path / "pictures" / "mine.pdf"
    assert hofstadter("plot", tmp_path / "run.zarr", "--kind", "butterfly", "--out", out)[:2] == (
        0,
        f"Drew {out}\n",
    )
    assert out.read_bytes().startswith(b"%PDF")
    assert hofstadter("plot", tmp_path / "run.zarr")[0] == 0
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "run_butterfly.png",
        "run_wannier_diagram.png",
    ]
    code, _, err = hofstadter("plot", tmp_path / "run.zarr", "--kind", "fan")
    assert (code, err.startswith("There is no plot 'fan'")) == (2, True)


def test_plot_of_a_store_with_nothing_in_it(hofstadter, file, tmp_path, monkeypatch):
    file.write_text(file.read_text().replace("max_denominator: 5", "fluxes: [1/4]"))
    monkeypatch.setenv("TOY_FAIL", "4")
    hofstadter("run", file)
    code, _, err = hofstadter("plot", tmp_path / "run.zarr")
    assert (code, "there is nothing to draw" in err) == (1, True)


def test_models(hofstadter):
    code, out, _ = hofstadter("models")
    assert code == 0
    assert all(name in out for name in (*PRESETS, "tight_binding", "continuum"))
    code, out, _ = hofstadter("models", "haldane")
    assert out.startswith("haldane(t=1, t2=0.15, phase=1.5708, mass=0)\n\nHaldane's model")
    assert "Args:" in out
    assert "stacking=AB-AB, " in hofstadter("models", "twisted_double_bilayer")[1].partition("\n")[0]
    code, _, err = hofstadter("models", "haldan")
    assert (code, "There is no model called 'haldan'." in err) == (2, True)


def test_schema(hofstadter):
    code, out, _ = hofstadter("schema")
    assert code == 0
    assert json.loads(out)["title"] == "hofstadter run file"


def test_unexpected_errors_have_no_traceback_unless_asked_for(hofstadter, file, monkeypatch):
    def broken(path):
        raise LookupError("a bug")

    monkeypatch.setattr("hofstadter.io.config.read_run_file", broken)
    code, _, err = hofstadter("check", file)
    assert code == 1
    assert err.startswith("An unexpected error ended the command. LookupError: a bug\n")
    from hofstadter.cli.main import main

    with pytest.raises(LookupError):
        main(["--traceback", "check", str(file)])
    with pytest.raises(RunFileError):
        main(["--traceback", "models", "nothing"])


def test_ctrl_c_outside_of_computing(hofstadter, file, monkeypatch):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("hofstadter.io.config.read_run_file", interrupted)
    assert hofstadter("check", file)[0] == 130


def test_run_in_parts_and_merge(hofstadter, file, tmp_path):
    for part, done in (("1/2", 11), ("2/2", 11)):
        code, out, _ = hofstadter("run", file, "--part", part, "-q")
        assert (code, out) == (0, "")
        name = f"run_{part.replace('/', 'of')}.zarr"
        assert f"{done} of 22 points are done" in hofstadter("run", file, "--part", part)[1]
        assert (tmp_path / name).exists()
    parts = sorted(tmp_path.glob("run_*of2.zarr"))
    code, out, _ = hofstadter("merge", tmp_path / "run.zarr", *parts)
    assert (code, out) == (0, f"6 of 6 units of work are done in {tmp_path / 'run.zarr'}, 0 failed.\n")
    assert "(0 computed now)" in hofstadter("run", file)[1]
    code, _, err = hofstadter("merge", tmp_path / "run.zarr", *parts)
    assert (code, "is there already" in err) == (2, True)


def test_merge_tells_about_failures(hofstadter, file, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_FAIL", "4")
    hofstadter("run", file, "-q")
    code, out, _ = hofstadter("merge", tmp_path / "all.zarr", tmp_path / "run.zarr")
    assert (code, out) == (1, f"4 of 6 units of work are done in {tmp_path / 'all.zarr'}, 2 failed.\n")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--part", "3/2"], "`--part` must be K/N with K from 1 to N, such as 2/4, but is '3/2'."),
        (["--part", "half"], "`--part` must be K/N"),
        (["--workers", "2"], "The executor 'serial' has no workers"),
        (["--scheduler", "tcp://a"], "The executor 'serial' has no scheduler"),
        (["--slurm", "fast"], "`--slurm` must be NAME=VALUE"),
        (["--slurm", "timeout_min=5"], "The executor 'serial' has no options"),
        (["--log", "/dev/null/log"], "The log /dev/null/log cannot be written: Not a directory."),
    ],
)
def test_options_of_run_that_are_wrong(hofstadter, file, options, words):
    code, out, err = hofstadter("run", file, *options)
    assert (code, out) == (2, "")
    assert words in err


def test_run_writes_a_log(hofstadter, file, tmp_path):
    hofstadter("run", file, "-q", "--log", tmp_path / "log")
    events = [json.loads(line)["event"] for line in (tmp_path / "log").read_text().splitlines()]
    assert events == ["run started", *["unit saved"] * 6, "run ended"]


def test_show_tells_about_a_run_that_is_going_on(hofstadter, file, tmp_path):
    from hofstadter.io.lock import locked
    from hofstadter.sweep.progress import Amounts, Progress

    hofstadter("run", file, "-q", "--part", "1/2")
    store = tmp_path / "run_1of2.zarr"
    assert "Now writing" not in hofstadter("show", store)[1]
    with locked(store) as lock, Progress("a", Amounts(4000, 200, 10), Amounts(1000, 50, 5), lock, True) as progress:
        meter = progress.meter(Amounts(100, 10))
        progress._told -= 10  # long ago
        meter.finish()
        line = next(line for line in hofstadter("show", store)[1].splitlines() if line.startswith("Now writing"))
    assert f"process {os.getpid()} on " in line
    assert ", 60 of 200 points, " in line
    assert "points/s, about " in line
