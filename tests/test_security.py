"""What SECURITY.md promises is proven by tests that exist; what the sources can show is read off them."""

import ast
import json
import re
import stat
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from brainmri.cli import main
from brainmri.configuration import checked
from brainmri.errors import BrainmriError

ROOT = Path(__file__).parents[1]
PROOF = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
# Numbers, words of a list, and names without a sign that a shell knows: the schema lets nothing else through.
CHECKED = {
    *("wildcards", "threads", "size", "protocol", "seed", "resamples", "most", "device", "devices"),
    *("neighbours", "monitor", "truth", "epochs", "conflicts", "wished_error"),
    # Quoted where it is put together.
    "applied",
}
# What runs what it reads, and what must be said to it.
CAREFUL = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False)}
FORBIDDEN = {
    "eval",
    "exec",
    "pickle.load",
    "pickle.loads",
    "yaml.load",
    "yaml.unsafe_load",
    "os.system",
    "os.popen",
}


def promises() -> list[str]:
    """Return the lines of SECURITY.md's tables."""
    lines = (ROOT / "SECURITY.md").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("|") and not re.match(r"\|(-|\s*what )", line)]


def test_every_promise_names_tests_that_exist():
    assert len(promises()) > 20
    for line in promises():
        proofs = PROOF.findall(line)
        assert proofs, f"no test is named: {line}"
        for path, name in proofs:
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, (
                path,
                name,
            )


def test_nothing_runs_what_it_reads():
    for path in sorted((ROOT / "src").rglob("*.py")):
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            name, said = ast.unparse(call.func), {word.arg: word.value for word in call.keywords}
            assert name not in FORBIDDEN, (path, call.lineno)
            assert ast.unparse(said.get("shell", ast.Constant(False))) == "False", (path, call.lineno)
            if name in CAREFUL:
                key, value = CAREFUL[name]
                assert key in said and said[key].value is value, (path, call.lineno)


def test_texts_of_a_configuration_are_quoted_for_the_shell():
    commands = 0
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        for block in re.findall(r"    shell:\n((?:        .*\n)+)", path.read_text() + "\n"):
            commands += 1
            for whole, name, quoted in re.findall(r"(\{([\w.]+)(:q)?\})", block):
                first, _, last = name.partition(".")
                assert quoted or first in CHECKED or last in CHECKED, f"{path.name}: {whole} is not quoted"
    assert commands > 20


@pytest.mark.parametrize(
    "name", ["a; touch b", "$(touch b)", "../up", "a b", "-rf", "a'b", "a\nb", "ab\n", ""]
)
@pytest.mark.parametrize("kind", ["study", "datasets", "splits", "models"])
def test_names_that_a_shell_or_a_path_would_obey_are_refused(kind, name):
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    config = deepcopy(yaml.safe_load((ROOT / "config/config.yaml").read_text()))
    if kind == "study":
        config["study"] = name
    else:
        config[kind][name] = next(iter(config[kind].values()))
    with pytest.raises(BrainmriError):
        checked(config, schema)


@pytest.mark.parametrize("key", ["archives_dir", "weights_dir", "archive", "pretrained"])
def test_braces_that_snakemake_would_fill_in_are_refused(key):
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
    config = deepcopy(yaml.safe_load((ROOT / "config/config.yaml").read_text()))
    config["datasets"]["phantom"]["source"] = source = {"archive": "a.zip"}
    {"archive": source, "pretrained": config["models"]["cnn"]}.get(key, config)[key] = "a{dataset}"
    with pytest.raises(BrainmriError, match="without braces"):
        checked(config, schema)


def test_status_reads_a_configuration_without_obeying_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text("study: !!python/object/apply:os.mkdir [sprung]")
    assert main(["status", "--configfile", "study.yaml"]) == 1
    assert "no readable configuration" in capsys.readouterr().err
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ({"dependencies": [{"name": "a", "version": "1", "vulns": []}]}, 0, "None has a known vulnerability"),
        (
            {
                "dependencies": [
                    {"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
                ]
            },
            1,
            "a 1: CVE-1, mended in 2",
        ),
        ({"dependencies": [{"name": "a", "skip_reason": "not found"}]}, 3, "0 of 1 packages"),
        ({"dependencies": [{"name": "a", "skip_reason": "not found"}]}, 3, "Not audited"),
        ("no connection", 3, "Nothing was audited"),
    ],
    ids=["clean", "vulnerable", "unknown index", "unknown names", "no network"],
)
def test_the_audit_of_dependencies_tells_what_it_could_not_look_up(tmp_path, answer, code, words):
    tool = tmp_path / "pip-audit"
    text = answer if isinstance(answer, str) else json.dumps(answer)
    tool.write_text(f"#!{sys.executable}\nprint({text!r})\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    command = [sys.executable, ROOT / ".ci" / "audit_dependencies.py", tool, "requirements.lock"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code
    assert words in done.stdout + done.stderr
