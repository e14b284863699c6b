"""The console's addresses. Beneath `/t/<tenant>/` everything belongs to that tenant."""

from django.urls import URLPattern, URLResolver, include, path

from modelyard.control.console.views import (
    aliases,
    audit,
    charters,
    comparisons,
    datasets,
    jobs,
    keys,
    members,
    models,
    origins,
    plans,
    precomputed,
    pushes,
    schedules,
    scoring,
    selections,
    sessions,
    training,
    trials,
    versions,
)

app_name = "console"

VERSION = [
    path("", versions.show_version, name="version"),
    path("state/", versions.state, name="version-state"),
    path("activate/", versions.activate, name="version-activate"),
    path("reproduce/", versions.reproduce, name="version-reproduce"),
    path("delete/", versions.delete, name="version-delete"),
    path("files/<int:position>/", versions.download, name="version-file"),
    path("try/", trials.ask, name="version-try"),
]

MODEL: list[URLPattern | URLResolver] = [
    path("", models.show_model, name="model"),
    path("edit/", models.edit, name="model-edit"),
    path("delete/", models.delete, name="model-delete"),
    path("push/", pushes.push, name="push"),
    path("history/", plans.history, name="history"),
    path("rollback/", plans.rollback, name="rollback"),
    path("stop/", plans.stop, name="stop"),
    path("charter/", charters.charter, name="charter"),
    path("charter/edit/", charters.edit, name="charter-edit"),
    path("consumers/", charters.declare, name="consumer-declare"),
    path("consumers/<int:consumer>/remove/", charters.remove, name="consumer-remove"),
    path("aliases/", aliases.move, name="alias-move"),
    path("aliases/<str:alias>/delete/", aliases.delete, name="alias-delete"),
    path("aliases/<str:alias>/back/<int:number>/", selections.alias_back, name="alias-back"),
    path("precomputed/try/", precomputed.ask, name="precomputed-try"),
    path("precomputed/withdraw/", precomputed.withdraw, name="precomputed-withdraw"),
    path("precomputed/<int:place>/activate/", precomputed.activate, name="precomputed-activate"),
    path("compare/", comparisons.compare_versions, name="compare"),
    path("select/", selections.look, name="select"),
    path("select/apply/", selections.choose, name="select-apply"),
    path("versions/<int:number>/", include(VERSION)),
    path("versions/<int:number>/line/", versions.line, name="version-line"),
]

DATASET = [
    path("", datasets.show_dataset, name="dataset"),
    path("state/", datasets.state, name="dataset-state"),
    path("download/", datasets.download, name="dataset-download"),
    path("delete/", datasets.delete, name="dataset-delete"),
]

JOB = [
    path("", jobs.show_job, name="job"),
    path("now/", jobs.now, name="job-now"),
    path("log/", jobs.log, name="job-log"),
    path("cancel/", jobs.cancel, name="job-cancel"),
    path("again/", jobs.again, name="job-again"),
    path("result/", scoring.result, name="job-result"),
    path("failed/", scoring.failed, name="job-failed"),
    path("result/delete/", scoring.delete_result, name="job-result-delete"),
]

SCHEDULE = [
    path("", schedules.show_schedule, name="schedule"),
    path("edit/", schedules.edit, name="schedule-edit"),
    path("pause/", schedules.pause, name="schedule-pause"),
    path("resume/", schedules.resume, name="schedule-resume"),
    path("run/", schedules.run, name="schedule-run"),
    path("delete/", schedules.delete, name="schedule-delete"),
]

TENANT: list[URLPattern | URLResolver] = [
    path("", models.models, name="models"),
    path("new/", models.new, name="model-new"),
    path("new/name/", models.check, name="model-check"),
    path("models/<str:name>/", include(MODEL)),
    path("datasets/", datasets.datasets, name="datasets"),
    path("datasets/new/", datasets.new, name="dataset-new"),
    path("datasets/new/<str:kind>/", datasets.fetch, name="dataset-fetch"),
    path("datasets/<str:ref>/", include(DATASET)),
    path("train/", training.train, name="train"),
    path("train/fields/", training.fields, name="train-fields"),
    path("score/", scoring.score, name="score"),
    path("score/fields/", scoring.fields, name="score-fields"),
    path("jobs/", jobs.jobs, name="jobs"),
    path("jobs/<uuid:job>/", include(JOB)),
    path("schedules/", schedules.schedules, name="schedules"),
    path("new-schedule/", schedules.new, name="schedule-new"),
    path("schedules/<str:schedule>/", include(SCHEDULE)),
    path("keys/", keys.keys, name="keys"),
    path("keys/<int:pk>/revoke/", keys.revoke, name="key-revoke"),
    path("members/", members.members, name="members"),
    path("members/<int:pk>/role/", members.change, name="member-role"),
    path("members/<int:pk>/remove/", members.remove, name="member-remove"),
    path("front-ends/", origins.origins, name="origins"),
    path("front-ends/<int:pk>/remove/", origins.remove, name="origin-remove"),
    path("audit/", audit.entries, name="audit"),
]

urlpatterns = [
    path("", sessions.home, name="home"),
    path("sign-in/", sessions.sign_in, name="sign-in"),
    path("sign-out/", sessions.sign_out, name="sign-out"),
    path("account/", sessions.account, name="account"),
    path("t/<str:tenant>/", include(TENANT)),
]
