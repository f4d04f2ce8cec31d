"""Look the pinned packages up in the database of known vulnerabilities, and say what was really looked up.

    python .ci/audit_dependencies.py path/to/pip-audit requirements.lock

pip-audit calls it "no known vulnerabilities" where an index answers but knows no package: here that is no
audit. Exit status: 0 all looked up and none vulnerable, 1 some are vulnerable, 3 not all could be looked up.
"""

import json
import subprocess
import sys

CLEAN, VULNERABLE, UNKNOWN = 0, 1, 3
NAMED = 5


def main() -> int:
    """Run pip-audit, print what it found in sentences, and return the exit status."""
    tool, lock = sys.argv[1:]
    command = [tool, "--requirement", lock, "--require-hashes", "--disable-pip"]
    done = subprocess.run(
        [*command, "--progress-spinner", "off", "--format", "json"], capture_output=True, text=True
    )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        print(
            "Nothing was audited: the database of vulnerabilities cannot be reached from here. Try again "
            f"with a network.\n  pip-audit: {reason[:300]}",
            file=sys.stderr,
        )
        return UNKNOWN
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    vulnerable = [package for package in packages if package.get("vulns")]
    print(f"{len(packages) - len(skipped)} of {len(packages)} packages of {lock} were looked up.")
    for package in vulnerable:
        for one in package["vulns"]:
            mended = ", ".join(one.get("fix_versions", [])) or "no version yet"
            print(f"{package['name']} {package['version']}: {one['id']}, mended in {mended}")
    if skipped:
        more = f" and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
        print(
            f"Not audited, because this index has no database for them: {', '.join(skipped[:NAMED])}{more}. "
            "Try again with a full network.",
            file=sys.stderr,
        )
    if vulnerable:
        return VULNERABLE
    if skipped or not packages:
        return UNKNOWN
    print("None has a known vulnerability.")
    return CLEAN


if __name__ == "__main__":
    sys.exit(main())
