"""What one decision of the controller costs: CPU time of ``next`` on trails of test questions."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from trimtab.agents.cascades import ValueCascade
from trimtab.agents.meta_controller import ValueOfComputation
from trimtab.domains.questions import NO_ANSWER
from trimtab.domains.tables import RecordedSteps
from trimtab.errors import IllegalAction
from trimtab.records import Budget, Prediction, Usage
from trimtab.training.cascade_pool import Tried

QUESTIONS = 50


def act_ms(tried: Sequence[Tried], test: RecordedSteps) -> float:
    """Return the CPU-milliseconds of a decision, over all decisions on some test questions.

    The controller is that of the middle price λ.
    """
    learned = [
        one.candidate.cascade for one in tried if isinstance(one.candidate.cascade, ValueCascade)
    ]
    controller = ValueOfComputation(cascade=learned[len(learned) // 2], canonical=canonical)
    acts, spent = 0, 0.0
    for question in range(min(QUESTIONS, test.n)):
        trail: list[Prediction] = []
        remaining = list(test.names)
        while True:
            started = time.process_time()
            step = controller.next(trail, remaining, Budget())
            spent += time.process_time() - started
            acts += 1
            if step.agent is None:
                break
            remaining.remove(step.agent)
            trail.append(prediction(test, test.index(step.agent), question))
    return 1000.0 * spent / acts


def canonical(answer: int | str) -> str:
    """Return the code of a recorded answer; raises ``IllegalAction`` where there is none."""
    if answer == NO_ANSWER:
        raise IllegalAction("no answer was recorded")
    return str(answer)


def prediction(steps: RecordedSteps, step: int, question: int) -> Prediction:
    """Return a recorded answer as an agent would give it, its code for words."""
    code = int(steps.codes[step, question])
    tokens = float(np.expm1(steps.signals[0, step, question])) if len(steps.signals) else 0.0
    return Prediction(
        agent=steps.names[step],
        action=NO_ANSWER if code < 0 else str(code),
        confidence=None,
        usage=Usage(
            completion_tokens=round(tokens), cost_usd=float(steps.cost_usd[step, question])
        ),
    )
