"""`manage.py` works as everybody expects, and each misconfiguration is named with its mend."""

import json
import re
from pathlib import Path

import pytest

from tests.acceptance.embed.conftest import PROJECT, Garden
from tests.servers import forked

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def bare(tmp_path: Path) -> Garden:
    """The project without a worker, and with an empty place."""
    (tmp_path / "place").mkdir()
    return Garden(tmp_path / "place", [], [], {})


def test_the_usual_commands_work(bare: Garden) -> None:
    assert "no issues" in bare.manage("check").stdout
    assert "No changes detected" in bare.manage("makemigrations", "--check", "--dry-run").stdout
    bare.manage("migrate", "-v0")
    assert "[ ]" not in bare.manage("showmigrations").stdout
    assert bare.manage("shell", "-v0", "-c", "import modelyard; print(modelyard.predict)").stdout.startswith(
        "<function"
    )
    found = bare.manage("findstatic", "console/base.css").stdout
    assert "control/console/static" in found
    # Nothing of ours was started or made by that.
    assert not bare.home.exists()


def test_the_projects_own_tests_pass(bare: Garden) -> None:
    said = bare.manage("test", "flowers", "-v1").stderr
    ran = re.search(r"Ran (\d+) tests", said)
    assert ran, said
    assert int(ran[1]) >= 20
    assert "\nOK\n" in said, said


def test_the_projects_own_tests_pass_on_postgresql(bare: Garden, postgresql: str) -> None:
    said = bare.manage("test", "flowers", "--noinput", GARDEN_DATABASE=postgresql).stderr
    assert "\nOK\n" in said, said


def test_our_log_lines_go_where_the_project_says(bare: Garden) -> None:
    code = (
        "import structlog, logging; structlog.get_logger('modelyard.x').warning('spool_full', free=3, share='20%');"
        "logging.getLogger('modelyard.y').warning('plain')"
    )
    done = bare.manage("shell", "-v0", "-c", code)
    assert "spool_full" not in done.stdout + done.stderr
    log = (bare.place / "garden.log").read_text()
    assert "GARDEN WARNING modelyard.x spool_full free=3 share='20%'" in log
    assert "GARDEN WARNING modelyard.y plain" in log


WRONG: dict[str, tuple[str, str, str]] = {
    "no settings": ("del MODELYARD", "modelyard.E002", 'MODELYARD = {"HOME": BASE_DIR'),
    "no dictionary": ("MODELYARD = 'var'", "modelyard.E002", "got str, expected a dictionary"),
    "no home": ("MODELYARD = {'HOMES': '/tmp/x'}", "modelyard.E002", "HOMES is no setting; did you mean HOME?"),
    "an unknown name": ("MODELYARD['MAX_ROW'] = 3", "modelyard.E002", "did you mean MAX_ROWS?"),
    "lower case": ("MODELYARD['max_rows'] = 3", "modelyard.E002", "did you mean MAX_ROWS?"),
    "a value that does not fit": ("MODELYARD['MAX_ROWS'] = 'many'", "modelyard.E002", "expected a whole number"),
    "the project's own": ("MODELYARD['SECRET_KEY'] = 'x' * 50", "modelyard.E002", "SECRET_KEY of the project"),
    "an app is missing": (
        "INSTALLED_APPS.remove('modelyard.control.registry')", "modelyard.E001", "registry' is missing",
    ),
    "another's app is missing": ("INSTALLED_APPS.remove('django_htmx')", "modelyard.E001", "'django_htmx' is missing"),
    "no include": ("ROOT_URLCONF = 'nowhere'", "modelyard.E003", 'include("modelyard.embed.urls")'),
    "two includes": ("ROOT_URLCONF = 'twice'", "modelyard.E004", "is included 2 times"),
    "a namespace that is taken": ("ROOT_URLCONF = 'taken'", "modelyard.E017", "takes the URL namespace 'console'"),
    "another database": (
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.dummy'}}", "modelyard.E005", "expected PostgreSQL",
    ),
    "SQLite that does not wait": ("del DATABASES['default']['OPTIONS']", "modelyard.W006", "'IMMEDIATE'"),
    "a router": (
        "DATABASES['other'] = {**DATABASES['default'], 'NAME': PLACE / 'other'}; DATABASE_ROUTERS = ['routers.Ours']",
        "modelyard.E007", "sends modelyard_registry.Version to 'other'",
    ),
    "a router for people": (
        "DATABASES['other'] = {**DATABASES['default'], 'NAME': PLACE / 'other'}; DATABASE_ROUTERS = ['routers.People']",
        "modelyard.E007", "sends people.Gardener to 'other'",
    ),
    "a folder that cannot be written": ("MODELYARD['ARTIFACTS'] = '/proc/x'", "modelyard.E008", "['ARTIFACTS']"),
    "a file for a folder": ("MODELYARD['HOME'] = __file__", "modelyard.E008", "is a file"),
    "naive times": ("USE_TZ = False", "modelyard.E009", "USE_TZ = True"),
    "no templates": ("TEMPLATES[0]['APP_DIRS'] = False", "modelyard.E011", "APP_DIRS"),
    "a template in the way": ("TEMPLATES[0]['DIRS'] = [HERE / 'shadow']", "modelyard.E012", "stands in the way"),
    "a processor": (
        "TEMPLATES[0]['OPTIONS']['context_processors'].pop(0)", "modelyard.E013", "context_processors.request",
    ),
    "no sessions": (
        "MIDDLEWARE = [one for one in MIDDLEWARE if 'sessions' not in one]", "modelyard.E014", "MIDDLEWARE lacks",
    ),
    "the wrong order": ("MIDDLEWARE.reverse()", "modelyard.E015", "stands before"),
}  # fmt: skip
FILES = {
    "nowhere.py": "urlpatterns = []",
    "twice.py": "from django.urls import include, path\n"
    "urlpatterns = [path('a/', include('modelyard.embed.urls')), path('b/', include('modelyard.embed.urls'))]",
    "taken.py": "from django.urls import include, path\nfrom garden.urls import urlpatterns\n"
    "urlpatterns = [*urlpatterns, path('c/', include(([], 'console')))]",
    "routers.py": "class Ours:\n    def db_for_write(self, model, **hints):\n"
    "        return 'other' if model._meta.app_label == 'modelyard_registry' else None\n"
    "class People:\n    def db_for_read(self, model, **hints):\n"
    "        return 'other' if model._meta.app_label == 'people' else None\n",
    "shadow/console/base.html": "mine",
}


@pytest.mark.parametrize("what", WRONG)
def test_each_misconfiguration_is_named_with_its_mend(bare: Garden, tmp_path: Path, what: str) -> None:
    line, code, mend = WRONG[what]
    folder = tmp_path / "wrong"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "wrong.py").write_text(f"from garden.settings import *\nHERE = Path(__file__).parent\n{line}\n")
    told = {**bare.environment, "DJANGO_SETTINGS_MODULE": "wrong", "PYTHONPATH": f"{folder}:{PROJECT}"}
    done = forked.run(["manage.py", "check"], environment=told, folder=PROJECT)
    said = " ".join((done.stdout + done.stderr).split())
    assert code in said, said
    assert mend in said, said
    # Without one of our own apps Django cannot even read the models: no check can run then.
    assert ("Traceback" in said) == (what == "an app is missing"), said
    assert done.returncode == (0 if ".W" in code else 1), said


def test_the_command_says_the_same(bare: Garden, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("from garden.settings import *\nMODELYARD['MAX_ROW'] = 3\n")
    more = {"DJANGO_SETTINGS_MODULE": "wrong", "PYTHONPATH": f"{tmp_path}:{PROJECT}"}
    done = bare.manage("modelyard", "models", check=False, **more)
    assert done.returncode == 1
    assert "did you mean MAX_ROWS?" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_verbs_are_those_of_the_command(bare: Garden) -> None:
    said = bare.manage("modelyard", "--help").stdout
    for verb in ("push", "predict", "promote", "rollback", "models", "versions", "worker", "tend", "serve", "doctor"):
        assert re.search(rf"^  {verb} ", said, re.M), verb
    assert not re.search(r"^  (up|web|init|login) ", said, re.M)
    refused = bare.manage("modelyard", "up", check=False)
    assert refused.returncode == 1
    assert "the project's own server answers" in refused.stderr
    unknown = bare.manage("modelyard", "modls", check=False)
    assert unknown.returncode == 2


def test_no_rows_are_answered_with_no_predictions(garden: Garden) -> None:
    code = (
        "import modelyard; from flowers.models import Flower; none = Flower.objects.none();"
        "print([modelyard.predict('iris', rows).predictions for rows in (none, list(none), ())])"
    )
    assert garden.manage("shell", "-v0", "-c", code).stdout.strip() == "[[], [], []]"


def test_verbs_tell_how_to_undo_in_the_projects_spelling(garden: Garden) -> None:
    told = garden.manage("modelyard", "keys", "create", "--name", "short")
    undo = re.search(r"undo +python manage.py (modelyard keys revoke .*)", told.stdout)
    assert undo, told.stdout
    assert "login" not in told.stdout
    garden.manage(*undo[1].split())
    listed = json.loads(garden.manage("modelyard", "keys", "list", "--json").stdout)
    assert {row["name"]: row["state"] for row in listed}["short"] == "revoked"
    answer = json.loads(
        garden.manage("modelyard", "predict", "iris", "--rows", json.dumps(garden.rows), "--json").stdout
    )
    assert answer["predictions"] == garden.expected
