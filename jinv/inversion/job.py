"""An inversion that has been checked and can be run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np

from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import BatchDone, Event, Logged, Made
from jinv.engine.execution import Execution
from jinv.engine.notes import Outcome
from jinv.engine.phase import STUDENT, TEACHER, Network, Procedure, Term
from jinv.engine.placement import sharing_devices
from jinv.engine.session import Session
from jinv.engine.step import weight_of
from jinv.inversion.learned import CastPrior, with_priors
from jinv.inversion.method import Method
from jinv.inversion.request import Request
from jinv.models.classifier import Classifier, Response
from jinv.models.zoo import beyond_zoo


@dataclass(frozen=True)
class Guest:
    """A network that sees the views of another one, but takes images in another form.

    Attributes:
        network: Network that takes part.
        classifier: Network whose inputs the views are.
    """

    network: Classifier
    classifier: Classifier

    @property
    def variables(self) -> Any:
        """Variables of the network, which programs take as an argument."""
        return self.network.variables

    def respond(self, variables: Any, inputs: jax.Array) -> Response:
        """Classify views (batch, height, width, channels)."""
        images = self.classifier.denormalise(inputs)
        height, width = inputs.shape[1:3]
        own = self.network.inputs_of(images, (height, width))
        return self.network.respond(variables, own)


# Compared by identity, as requests and classifiers are.
@dataclass(frozen=True, eq=False)
class Job:
    """What is computed: all that changes the images, and how the work is carried out.

    Attributes:
        cast: Networks that take part, by role; the teacher is inverted.
        request: Request, which says what is asked of the images.
        batch_size: Images that are optimised together, and kept.
        method: Method, with its settings.
        seed: Seed of all randomness.
        execution: How the work is carried out.
        priors: Learned priors that take part too; those of weight 0 are left out.
    """

    cast: Mapping[str, Classifier]
    request: Request
    batch_size: int
    method: Method
    seed: int
    execution: Execution
    priors: tuple[CastPrior, ...] = ()

    def describe(self) -> dict[str, Any]:
        """All that the images depend on, as JSON."""
        spec, settings = self.classifier.spec, asdict(self.method)
        # Where files have always had them.
        scope, patience = settings.pop("bn_scope"), settings.pop("patience")
        others = {role: net for role, net in self.cast.items() if role != TEACHER}
        return {
            "model": spec.name,
            "weights_sha256": self.classifier.origin,
            **beyond_zoo(spec).to_json(),
            "precision": np.dtype(self.classifier.dtype).name,
            **self.request.describe(),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "method": type(self.method).__name__,
            "settings": settings,
            **{f"{role}_sha256": net.origin for role, net in others.items()},
            "bn_scope": scope,
            **({"devices": self.devices} if scope == "local" else {}),
            "patience": patience,
            **({"priors": self._describe_priors()} if self.priors else {}),
        }

    def __repr__(self) -> str:
        """A line for people; `describe` tells all."""
        return (
            f"<Job: {self.request.about()} by {self.classifier.spec.name}, "
            f"{type(self.method).__name__}, batches of {self.batch_size} and "
            f"{self.company} in company, seed {self.seed}>"
        )

    @property
    def classifier(self) -> Classifier:
        """Network that is inverted."""
        return self.cast[TEACHER]

    @property
    def student(self) -> Classifier | None:
        """Network with which some methods compare the one that is inverted."""
        return self.cast.get(STUDENT)

    @property
    def networks(self) -> dict[str, Network]:
        """The cast as the engine sees it: all are shown the classifier's inputs."""

        def seeing(network: Classifier) -> Network:
            ours, own = self.classifier.spec, network.spec
            form = own.channels, own.mean, own.std
            alike = form == (ours.channels, ours.mean, ours.std)
            return network if alike else Guest(network, self.classifier)

        others = {prior.role: prior for prior in self._at_work}
        return {role: seeing(net) for role, net in self.cast.items()} | others

    @property
    def procedure(self) -> Procedure:
        """What the engine does with each batch.

        The same object for all jobs of this form and classifier, whatever their loss
        weights and learning rates: programs are remembered by its phases.
        """
        classifier, method, priors = self.classifier, self.method, self._at_work

        def make() -> Procedure:
            procedure = method.procedure(classifier)
            return with_priors(procedure, priors, classifier, method)

        return classifier.memo.get((method.form, priors), make)

    @property
    def numbers(self) -> dict[str, float]:
        """Loss weights and learning rates by name, with the weights of priors."""
        own = {p.weight_name: p.weight for p in self.priors if p.weight is not None}
        return self.method.numbers | own

    @property
    def weights(self) -> dict[str, float]:
        """The number by which each term of the objective is multiplied."""
        terms = (term for phase in self.procedure.phases for term in phase.wanted)
        return {term.name: weight_of(term, self.numbers) for term in terms}

    @property
    def _at_work(self) -> tuple[CastPrior, ...]:
        """Priors that weigh anything."""
        return tuple(p for p in self.priors if self.numbers[p.weight_name])

    def _describe_priors(self) -> dict[str, Any]:
        return {p.role: p.describe(self.numbers[p.weight_name]) for p in self.priors}

    def fitting(self) -> "Job":
        """The job by a request that fits its method, whose settings are checked.

        With their own numbers: what is remembered is the procedure of the form alone.

        Raises:
            ConfigError: A setting cannot work, alone or with this classifier.
        """
        procedure = self.method.procedure(self.classifier)
        return replace(self, request=self.request.fitting(procedure))

    @property
    def count(self) -> int:
        """Number of images that are made."""
        return self.request.count

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of each image that is made (height, width, channels)."""
        classifier = self.classifier
        return *self.method.extent(classifier), classifier.spec.channels

    @property
    def company(self) -> int:
        """Number of images that accompany every batch, and are dropped."""
        return max(map(len, self.request.company.values()), default=0)

    @property
    def batch_count(self) -> int:
        """Number of batches that make all the images."""
        return -(-self.count // self.batch_size)

    @property
    def devices(self) -> int:
        """Number of devices that share each batch, of those that there are."""
        company = self.company
        return sharing_devices(
            self.execution.devices, self.batch_size + company, company
        )

    def numbers_of(self, batch: int) -> range:
        """Numbers of the images that a batch yields."""
        first = batch * self.batch_size
        return range(first, min(first + self.batch_size, self.count))

    def session(self, **options: Any) -> Session:
        """Begin a session, an iterator of events that does the work.

        Args:
            **options: Options of `jinv.engine.session.Session`: `live`, `chosen`,
                `should_stop`, `checkpoints`, `resume`.
        """
        return Session(
            self.networks,
            self.procedure,
            self.numbers,
            _Batches(self),
            self.seed,
            self.execution,
            **options,
        )

    def run(
        self,
        on_event: Callable[[Event], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
        checkpoints: Checkpoints | None = None,
        resume: bool = False,
        numbers: Sequence[int] | None = None,
    ) -> Outcome:
        """Carry the job out, and tell somebody of each event.

        Raises:
            Interrupted: `should_stop` said so.
            Diverged: The loss became NaN or infinite.
        """
        session = self.session(
            chosen=numbers,
            should_stop=should_stop,
            checkpoints=checkpoints,
            resume=resume,
        )
        for event in session:
            on_event(event)
        return session.outcome

    def gather(self) -> "Gathered":
        """Carry the job out, and keep all that it yields in memory.

        Raises:
            Diverged: The loss became NaN or infinite.
        """
        done: list[Made] = []
        log: list[dict[str, Any]] = []

        def keep(event: Event) -> None:
            if isinstance(event, BatchDone):
                done.append(event.made)
            elif isinstance(event, Logged):
                log.append(event.row)

        outcome = self.run(keep)
        inputs = np.concatenate([made.inputs for made in done])
        images = np.clip(self.classifier.denormalise(inputs), 0, 1)
        labels = np.concatenate([made.labels for made in done])
        return Gathered(images, labels, log, outcome)


class Gathered(NamedTuple):
    """What a job yields.

    Attributes:
        images: Images (images, height, width, channels), float32 in [0, 1].
        labels: Class by which each is judged (images,); none where they are not.
        log: Measurements over the steps, as in `metrics.jsonl`.
        outcome: Bill of the run.
    """

    images: np.ndarray
    labels: np.ndarray
    log: list[dict[str, Any]]
    outcome: Outcome


class _Batches:
    """A job's request, batch by batch: what `jinv.engine.request.Batches` asks for."""

    def __init__(self, job: Job):
        """Share a job's images out."""
        self._job = job
        self.count = job.batch_count
        self.size = job.batch_size + job.company
        self.watched: tuple[Term, ...] = job.request.watched
        # The last batch is filled up from the start: its surplus is optimised with the
        # others, for the statistics, and dropped.
        self._numbers = np.resize(np.arange(job.count), (self.count, job.batch_size))

    def asked(self, batch: int) -> Mapping[str, np.ndarray]:
        """What is asked of a batch's images, and of their company."""
        request = self._job.request
        company = request.company
        return {
            name: np.concatenate([array, company[name]]) if name in company else array
            for name, array in request.asked(self._numbers[batch]).items()
        }

    def made(self, batch: int, inputs: np.ndarray) -> Made:
        """A batch's images without company and surplus, as bytes too."""
        job, numbers = self._job, self._job.numbers_of(batch)
        inputs = inputs[: len(numbers)]
        images = job.classifier.images_of(inputs)
        labels = job.request.labels_of(numbers, images)
        names = job.request.names_of(numbers, labels)
        return Made(numbers, inputs, images, labels, names)
