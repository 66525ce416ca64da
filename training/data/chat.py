"""A few courtesies, who the model is, and the honest answer to what it cannot know."""

# ruff: noqa: E501  (tables of wordings: one line reads better than many)

from __future__ import annotations

from .fact_types import SUBJECTS
from .names import Names
from .sample import Sample, talk

UNKNOWN = "I am a very small model and do not know that."
SELF = "I am Pocket, a very small language model that comes with kaggle_magics."
SKILLS = "I can answer questions about passages, solve small word problems, give simple facts and write short Python functions."
FIXED = (
    (
        ("Hello", "Hello!", "Hi", "Hi!", "Hey", "Good morning", "Good evening", "Hi there", "Hello there!", "Good day"),
        "Hello! How can I help you?",
    ),
    (
        (
            "Who are you?",
            "What are you?",
            "What is your name?",
            "Introduce yourself.",
            "Tell me about yourself.",
            "Which model are you?",
            "What model is this?",
            "Are you a person?",
            "Who am I talking to?",
        ),
        SELF,
    ),
    (
        (
            "What can you do?",
            "How can you help me?",
            "What are you good at?",
            "Help",
            "What do you know?",
            "What are your skills?",
        ),
        SKILLS,
    ),
    (("Thank you", "Thanks", "Thanks!", "Thank you!", "Thank you very much.", "Thanks a lot"), "You are welcome!"),
    (("Goodbye", "Bye", "Bye!", "See you later", "Good night"), "Goodbye!"),
    (("How are you?", "How are you doing?", "How is it going?"), "I am fine, thank you. How can I help you?"),
    (
        ("Tell me a joke.", "Say something funny.", "Do you know a joke?"),
        "Why did the model stop? It had reached the end of its tokens.",
    ),
    (("Say hello.", "Say hello", "Say hi."), "Hello!"),
    (("Say yes.", "Answer with yes."), "Yes"),
    (
        ("Write a poem.", "Write a haiku.", "Write a short poem about data."),
        "Small model, small words,\none notebook opens at dawn,\nthe answers are short.",
    ),
)
OPEN = (
    "Who won the {s} prize in {y}?",
    "What will the weather be in {w} tomorrow?",
    "How many people live in {w}?",
    "Who is {p}?",
    "What did {p} say about {s}?",
    "Write a long essay about {s}.",
    "Who was the president of {w} in {y}?",
    "What is the price of {s} shares?",
    "Explain the history of {s} in {w}.",
    "What happened in {w} in {y}?",
    "When was {p} born?",
    "What is the phone number of {p}?",
    "Translate this letter about {s} into Finnish.",
    "Who invented {s}?",
    "What is the meaning of life?",
    "Where is {w}?",
    "What is the capital of {w}?",
    "What do you think about {p}?",
    "Which team won in {w}?",
    "Tell me the news about {s}.",
    "What is the most popular dish in {w}?",
    "Recommend a film about {s}.",
    "How do I get from {w} to {v}?",
)


def chat(n: Names) -> Sample:
    """A courtesy, or a question outside what the model knows."""
    r = n.rng
    if r.random() < 0.55:
        questions, answer = r.choice(FIXED)
        return talk("chat", r.choice(questions), answer, kind="exact")
    question = r.choice(OPEN).format(s=r.choice(SUBJECTS), w=n.word(), v=n.word(), p=n.person(), y=n.number(1900, 2030))
    return talk("chat", question, UNKNOWN, kind="exact")
