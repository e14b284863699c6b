"""`python -m tests.chaos`: each scenario in a process of its own; the figures as a table, the seed first."""

import argparse
import json
import random
import subprocess
import sys

from tests.servers import shared


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help="killed, trained, wiped, crash, poison, frozen, clock; none: all")
    parser.add_argument("--short", action="store_true", help="a part of each, in seconds")
    parser.add_argument("--embedded", action="store_true", help="only SQLite and messages in a folder")
    parser.add_argument("--servers", action="store_true", help="only PostgreSQL and RabbitMQ")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    from tests.chaos.scenarios import ON_POSTGRESQL_ALONE, SCENARIOS, SHORT, Size, run

    size = SHORT if given.short else Size()
    if given.alone:
        print(json.dumps(run(given.scenarios[0], size, given.embedded, given.seed)))
        return 0
    print(f"seed {given.seed}", flush=True)
    failed = 0
    began = shared.begin_run()
    try:
        for embedded in [True] * (not given.servers) + [False] * (not given.embedded):
            for name in given.scenarios or SCENARIOS:
                if not (embedded and name in ON_POSTGRESQL_ALONE):
                    failed += not tell(name, given.short, embedded, given.seed)
    finally:
        if began:
            shared.end_run()
    return 1 if failed else 0


def tell(name: str, short: bool, embedded: bool, seed: int) -> bool:
    """Run a scenario, print its figures, and return whether every promise held."""
    command = [sys.executable, "-m", "tests.chaos", name, "--alone", "--seed", str(seed)]
    command += ["--short"] * short + ["--embedded"] * embedded
    done = subprocess.run(command, capture_output=True, text=True)
    where = "SQLite, folder" if embedded else "PostgreSQL, RabbitMQ"
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        print(f"{name:7} {where:20} BROKEN  {last[0][:600]}", flush=True)
        return False
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"{name:7} {where:20} " + ", ".join(f"{key} {value}" for key, value in figures.items()), flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
