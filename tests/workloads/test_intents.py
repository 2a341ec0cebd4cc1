"""What a passage asks for, and what a job is called."""

import pytest

from stillwatch.workloads.intents import INTENTS, intents, title


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("think through the problem and lay out every intermediate step of your reasoning", "reasoning"),
        ("请一步一步推理以下问题", "reasoning"),
        ("assign a score using the following 0-point scale", "grading"),
        ("develop 0 user queries that can be received by the given ai application", "instruction_generation"),
        ("plan your actions and call the tool", "tool_use"),
        ("write unit tests for this function", "coding"),
        ("rephrase the request in neutral terms", "rewording"),
        ("respond only with json", "extraction"),
    ],
)
def test_intents_are_read_off_the_passage(text, intent):
    assert intent in intents(text)


def test_ordinary_talk_has_no_intent():
    assert intents("what a lovely day it is in the garden with my grandmother") == []


def test_titles():
    assert title(["reasoning", "grading"]) == "Spelled-out reasoning with grading of answers"
    assert title([], "act as a pirate who sells cheese on the high seas of utrecht").startswith("“act as a pirate")
    assert title([]) == "A recurring instruction"
    assert all(title([name]) for name in INTENTS)
