import threading
import time
from dataclasses import dataclass, fields, replace

import numpy as np
import optuna
import pytest
from sketch import Sketch, add_sketch

from jinv.engine.events import BatchDone, Cost, Far, Made, Position
from jinv.engine.execution import Execution
from jinv.errors import Diverged, FolderError, Interrupted
from jinv.former import FORMER
from jinv.inversion.deep import DeepInversion
from jinv.inversion.job import Job
from jinv.inversion.make_job import make_job
from jinv.inversion.presets import find_preset, write_preset
from jinv.levels import to_uint8
from jinv.metrics.bootstrap import Estimate
from jinv.metrics.table import METRICS
from jinv.search import storage
from jinv.search.follower import Follower
from jinv.search.objective import Objective
from jinv.search.plan import BASELINE, POINT, Plan
from jinv.search.space import parse_space
from jinv.search.study import Study

BEST_LR = 0.3


@dataclass(frozen=True)
class QuickJob(Job):
    """Its images are the brighter, the nearer the learning rate is to the best one."""

    def run(self, on_event=lambda _: None, should_stop=lambda: False, *_, **__):
        if self.method.lr > 5:
            raise Diverged("the loss is no longer finite")
        off = abs(np.log10(self.method.lr / BEST_LR))
        for batch in range(self.batch_count):
            if should_stop():
                raise Interrupted("stopped at step 1")
            numbers = self.numbers_of(batch)
            size = len(numbers)
            images = np.full((size, 8, 8, 3), np.exp(-off), np.float32)
            inputs = np.asarray(self.classifier.normalise(images))
            shown = to_uint8(images)
            labels = self.request.labels_of(numbers, shown)
            made = Made(numbers, inputs, shown, labels, ["tiny"] * size)
            at, far = Position(batch, 0, 1), Far(batch + 1, self.batch_count)
            on_event(BatchDone(at, made, True, far, Cost(size, 0.0)))


BRIGHTNESS = Objective(
    "brightness",
    replace(METRICS["diversity"], title="Brightness", about="mean"),
    {},
    lambda images, labels: Estimate(float(images.mean())),
)


@pytest.fixture(scope="module")
def plan(tiny):
    job = make_job(
        tiny, "all", 12, batch_size=6, execution=Execution(devices=1), steps=(2,)
    )
    quick = QuickJob(**{f.name: getattr(job, f.name) for f in fields(job)})
    space = parse_space(["lr=0.001..4:log", "w_tv2=0.1,0.3,1"], type(job.method))
    return Plan(quick, space, BRIGHTNESS, "tpe", prune=False)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/study.db"


def over(plan, *words, **changes):
    space = parse_space(words, type(plan.job.method))
    return replace(plan, space=space, **changes)


def test_settings_that_are_not_searched_follow_those_that_are(plan):
    method = plan.job_with({"resolutions": (4, 8, 8), "steps": (9,)}).method
    assert method.steps == (9,)
    given = replace(plan.job.method, steps=(90, 30), resolutions=(4, 8), warmup=20)
    started = replace(plan, job=replace(plan.job, method=given))
    assert started.job_with({"resolutions": (8,)}).method.steps == (120,)
    assert started.job_with({"steps": (10,)}).method.warmup == 5


def test_a_search_begins_with_the_settings_given_and_improves_on_them(plan, url):
    results = Study(plan, url, "s").run(16)
    assert len(results.trials) == 16
    first = results.trials[0]
    assert first.baseline and first.settings == {"lr": 0.1, "w_tv2": 0.3}
    assert results.baseline is not None and results.best is not None
    assert results.best.value > 1.5 * results.baseline.value
    assert "is the best" in results.conclusion()


def test_where_nothing_is_better_the_start_remains_the_best(plan, url):
    results = Study(over(plan, "lr=0.1,0.01,0.02", strategy="grid"), url, "s").run(9)
    assert results.best is results.baseline
    assert "no other trial (2) is better" in results.conclusion()


def test_a_start_outside_the_space_is_tried_all_the_same(plan, url):
    results = Study(over(plan, "lr=0.2,0.4", strategy="grid"), url, "s").run(9)
    assert [t.settings["lr"] for t in results.trials if t.baseline] == [0.1]
    assert sorted(t.settings["lr"] for t in results.trials) == [0.1, 0.2, 0.4]


def test_a_grid_tries_every_point_once(plan, url):
    wanted = over(plan, "lr=0.1,0.2,0.4", "w_tv2=0.1,0.3", strategy="grid")
    results = Study(wanted, url, "s").run(99)
    assert results.trials[0].settings == {"lr": 0.1, "w_tv2": 0.3}
    tried = [tuple(trial.settings.values()) for trial in results.trials]
    assert len(tried) == len(set(tried)) == wanted.size == 6


def test_a_search_goes_on_to_as_many_trials_in_all(plan, url):
    before = Study(plan, url, "s").run(3).trials
    after = Study(plan, url, "s").run(5).trials
    assert after[:3] == before and len(after) == 5
    assert Study(plan, url, "s").run(4).trials == after


def test_a_search_can_be_repeated(plan, tmp_path):
    twice = [Study(plan, f"sqlite:///{tmp_path}/{i}.db", "s").run(7) for i in (0, 1)]
    first, second = ([t.settings for t in results.trials] for results in twice)
    assert first == second


def test_another_configuration_is_refused(plan, url):
    Study(plan, url, "s").run(1)
    other = replace(plan, job=replace(plan.job, seed=1))
    with pytest.raises(FolderError, match="seed: 0 there, 1 now"):
        Study(other, url, "s")
    with pytest.raises(FolderError, match="lr: 0.001..4:log there, 0.1,0.2 now"):
        Study(over(plan, "lr=0.1,0.2"), url, "s")
    assert Study(other, url, "another").run(1).trials


def test_settings_that_diverge_end_their_trial_and_not_the_search(plan, url):
    words = "lr=0.1,9", "w_tv2=0.3,1"
    results = Study(over(plan, *words, strategy="grid"), url, "s").run(9)
    failed = [trial for trial in results.trials if trial.state == "failed"]
    assert len(results.trials) == 4 and len(failed) == 2
    assert all("no longer finite" in trial.note for trial in failed)
    assert results.ranked[-1].value is None and results.best is results.trials[0]


def test_hopeless_trials_are_ended_after_a_batch(plan, url):
    lrs = "lr=0.1,0.2,0.3,0.31,0.32,0.001,0.002"
    results = Study(over(plan, lrs, strategy="grid", prune=True), url, "s").run(9)
    pruned = [trial for trial in results.trials if trial.state == "pruned"]
    assert pruned and all(trial.images == 6 for trial in pruned)
    assert all("after 6 images" in trial.note for trial in pruned)
    assert results.best.settings["lr"] == 0.3
    table = results.table()[1]
    assert len(table) == 7 and sum("pruned" in row for row in table) == len(pruned)


def test_trials_are_not_ended_for_what_may_be_chance(plan, url):
    def uncertain(images, labels):
        return Estimate(float(images.mean()), 0.0, 255.0)

    objective = replace(BRIGHTNESS, compute=uncertain)
    wanted = over(
        plan, "lr=0.1,0.2,0.3,0.31,0.001", strategy="grid", objective=objective
    )
    results = Study(replace(wanted, prune=True), url, "s").run(9)
    assert len(results.complete) == 5


def test_a_trial_that_was_interrupted_is_begun_anew(plan, url):
    asked = iter([False, False, True])
    with pytest.raises(Interrupted):
        Study(plan, url, "s").run(3, should_stop=lambda: next(asked))
    assert not Study(plan, url, "s").results().trials
    results = Study(plan, url, "s").run(3)
    assert len(results.trials) == 3 and results.baseline is results.trials[0]
    assert results.baseline.settings == {"lr": 0.1, "w_tv2": 0.3}


@pytest.mark.filterwarnings("ignore:Heartbeat")
def test_the_trial_of_a_killed_worker_is_given_to_another(plan, url, monkeypatch):
    monkeypatch.setattr(storage, "HEARTBEAT", 1)
    monkeypatch.setattr(storage, "GRACE", 1)
    dead = Study(plan, url, "s")._study
    trial = dead.ask()
    dead._storage.record_heartbeat(trial._trial_id)
    waited = []

    class Waiting(Follower):
        def wait(self, running):
            waited.append(running)

    time.sleep(0.2)
    results = Study(plan, url, "s").run(1, Waiting())
    assert waited == [1]
    assert len(results.trials) == 1 and results.baseline is not None


@pytest.mark.parametrize("strategy", ["tpe", "grid"])
def test_workers_share_a_search_without_clashes(plan, url, strategy):
    lrs = "lr=0.1," + ",".join(f"0.{n}" for n in range(200, 215))
    shared = over(plan, lrs, strategy="grid") if strategy == "grid" else plan
    errors = []

    def work():
        try:
            Study(shared, url, "s").run(12)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    results = Study(shared, url, "s").results()
    assert not errors and len(results.trials) == 12 and results.running == 0
    assert sum(trial.baseline for trial in results.trials) == 1
    assert len({trial.settings["lr"] for trial in results.trials}) == 12


def test_a_search_over_another_method_ends_in_a_preset_of_it(
    plan, url, monkeypatch, tmp_path
):
    add_sketch(monkeypatch)
    job = replace(plan.job, method=Sketch())
    sketched = replace(
        plan, job=job, space=parse_space(["lr=0.1,0.3", "strokes=2/3,4"], Sketch)
    )
    results = Study(sketched, url, "s").run(6)
    assert results.best is not None and results.best.settings["lr"] == 0.3
    write_preset(tmp_path / "best.json", sketched.preset_of(results.best, results))
    found = find_preset(str(tmp_path / "best.json"), "sketch")
    assert found.method == Sketch(**results.best.settings)


def test_images_without_a_class_are_judged_by_what_the_teacher_sees(plan, url):
    seen = []

    def measured(images, labels):
        seen.append((len(images), {*labels.tolist()}))
        return Estimate(float(images.mean()))

    answer = replace(BRIGHTNESS, compute=measured)
    # Whatever the search began with.
    job = replace(plan.job, method=DeepInversion(steps=(2,), w_class=0.0))
    space = parse_space(["lr=0.3,1"], DeepInversion)
    Study(Plan(job, space, answer, "grid", prune=False), url, "s").run(1)
    # Its images are all alike.
    assert [count for count, _ in seen] == [6, 12]
    assert all(len(labels) == 1 for _, labels in seen)


def test_a_study_that_notes_fields_by_former_names_goes_on(plan, url, monkeypatch):
    monkeypatch.setitem(FORMER, "settings", {"old_lr": "lr"})
    plan = replace(plan, strategy="random")
    described = plan.describe()
    described["space"] = {"old_lr": described["space"]["lr"], **described["space"]}
    del described["space"]["lr"]
    first = {"old_lr": 0.02, "w_tv2": "0.3"}
    queue = [(BASELINE, {}), (POINT, first)]
    storage.join_study(
        storage.open_storage(url), "before", described, "maximize", queue
    )
    study = Study(plan, url, "before")
    results = study.run(3)
    assert results.trials[1].settings == {"lr": 0.02, "w_tv2": 0.3}
    again = optuna.load_study(study_name="before", storage=url)
    assert {*again.trials[1].params, *again.trials[2].params} == {"old_lr", "w_tv2"}
