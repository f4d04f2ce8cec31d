"""What the artefacts of a study answer to the items of reporting checklists, each answer with its sources."""

from brainmri.reporting.answers_compared import compared_answers
from brainmri.reporting.answers_data import data_answers
from brainmri.reporting.answers_models import model_answers
from brainmri.reporting.answers_numbers import number_answers
from brainmri.study import Study


def study_answers(study: Study, context: dict) -> dict[str, dict]:
    """Return all answers by name: ``text``, ``links`` and ``asked``; what is not known is absent.

    Parameters
    ----------
    study
        The study.
    context
        What `page_context` returned.
    """
    answers = data_answers(study, context) | model_answers(study, context) | number_answers(study, context)
    answers |= compared_answers(context)
    return {name: answer for name, answer in answers.items() if answer is not None and answer["text"].strip()}
