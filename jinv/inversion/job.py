"""An inversion that has been checked and can be run."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import BatchDone, Event, Frame
from jinv.engine.execution import Execution
from jinv.engine.notes import Outcome
from jinv.engine.phase import Procedure
from jinv.engine.placement import sharing_devices
from jinv.engine.run import run
from jinv.inversion.methods import Method
from jinv.models.classifier import Classifier
from jinv.models.classify import classify
from jinv.models.zoo import beyond_zoo


# Compared by identity: arrays have no single answer to whether they are equal.
@dataclass(frozen=True, eq=False)
class Job:
    """What is computed: all that changes the images, and how the work is carried out.

    Attributes:
        classifier: The network to invert.
        labels: The class of each image (images,).
        batch_size: Images that are optimised together, and kept.
        company: Classes of further images that are optimised with each batch, and
            dropped: they let it have the statistics of all classes.
        method: How.
        seed: Of all randomness.
        execution: How the work is carried out.
        student: A network whose answers some methods compare with the classifier's.
    """

    classifier: Classifier
    labels: np.ndarray
    batch_size: int
    company: np.ndarray
    method: Method
    seed: int
    execution: Execution
    student: Classifier | None = None

    def describe(self) -> dict[str, Any]:
        """All that the images depend on, as JSON."""
        spec = self.classifier.spec
        return {
            "model": spec.name,
            "weights_sha256": self.classifier.sha256,
            **beyond_zoo(spec).to_json(),
            "precision": np.dtype(self.classifier.dtype).name,
            "labels": self.labels.tolist(),
            "batch_size": self.batch_size,
            "company": self.company.tolist(),
            "seed": self.seed,
            "method": type(self.method).__name__,
            "settings": asdict(self.method),
            **({"student_sha256": self.student.sha256} if self.student else {}),
            "bn_scope": self.execution.bn_scope,
            **({"devices": self.devices} if self.execution.bn_scope == "local" else {}),
            "patience": self.execution.patience,
        }

    def __repr__(self) -> str:
        """A line for people; `describe` tells all."""
        return (
            f"<Job: {about(self.labels)} by {self.classifier.spec.name}, "
            f"{type(self.method).__name__}, batches of {self.batch_size} and "
            f"{len(self.company)} in company, seed {self.seed}>"
        )

    @property
    def procedure(self) -> Procedure:
        """What the engine does with each batch.

        The same object for all jobs of this method and classifier: programs are
        remembered by its phases.
        """
        classifier, method = self.classifier, self.method
        return classifier.memo.get(method, lambda: method.procedure(classifier))

    @property
    def batch_count(self) -> int:
        """How many batches make all the images."""
        return -(-len(self.labels) // self.batch_size)

    @property
    def devices(self) -> int:
        """How many devices share each batch, of those that there are."""
        company = len(self.company)
        return sharing_devices(
            self.execution.devices, self.batch_size + company, company
        )

    def numbers_of(self, batch: int) -> range:
        """The numbers of the images that a batch yields."""
        first = batch * self.batch_size
        return range(first, min(first + self.batch_size, len(self.labels)))

    def labels_of(self, numbers: Sequence[int], images: np.ndarray) -> np.ndarray:
        """What finished images show.

        The classes asked for; or, where the method asks for none, the classifier's
        answers.

        Args:
            numbers: The images' numbers.
            images: (images, height, width, channels), uint8.
        """
        if self.procedure.labelled:
            return self.labels[np.asarray(numbers, int)]
        return np.argmax(classify(self.classifier, images), -1).astype(np.int32)

    def _asked(self) -> np.ndarray:
        """The classes that each batch asks for (batches, batch).

        The last batch is filled up from the start: its surplus is optimised with the
        others, for the statistics, and dropped.
        """
        batches = np.resize(self.labels, (self.batch_count, self.batch_size))
        company = np.broadcast_to(self.company, (len(batches), len(self.company)))
        return np.concatenate([batches, company], 1)

    def run(
        self,
        on_event: Callable[[Event], None] = lambda _: None,
        should_stop: Callable[[], bool] = lambda: False,
        checkpoints: Checkpoints | None = None,
        resume: bool = False,
        numbers: Sequence[int] | None = None,
    ) -> Outcome:
        """Carry the job out; see `jinv.engine.run.run`."""

        def keep(event: Event) -> None:
            if isinstance(event, BatchDone | Frame):
                kept = len(self.numbers_of(event.position.batch))
                event = replace(event, inputs=event.inputs[:kept])
            on_event(event)

        return run(
            self.classifier,
            self.procedure,
            self._asked(),
            self.seed,
            self.execution,
            student=self.student,
            numbers=numbers,
            on_event=keep,
            should_stop=should_stop,
            checkpoints=checkpoints,
            resume=resume,
        )


def about(labels: np.ndarray) -> str:
    """How many images there are, and of how many classes."""
    images, classes = len(labels), len(np.unique(labels))
    return (
        f"{images} image{'s' * (images != 1)} of {classes} class{'es' * (classes != 1)}"
    )
