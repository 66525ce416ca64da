"""Python functions from `training.functions`, asked for in one line, under their own or another name."""

from __future__ import annotations

from kaggle_magics import wording
from training import functions as F

from .names import Names
from .rewording import reworded
from .sample import Sample, talk


def _phrases(function: F.Function) -> tuple[str, str]:
    """The verb phrase and the noun phrase of a function's tasks, read back from its training tasks."""
    verb = noun = ""
    for task in function.train_tasks:
        for template in F.TRAIN_TASKS_VERB + F.TRAIN_TASKS_NAMED:
            if "{verb}" not in template:
                continue
            head, tail = template.split("{verb}")
            if task.startswith(head) and task.endswith(tail) and len(task) > len(head) + len(tail):
                verb = verb or task[len(head) : len(task) - len(tail)]
        for template in F.TRAIN_TASKS_NOUN:
            if "{noun}" in template:
                head, tail = template.split("{noun}")
                if task.startswith(head) and task.endswith(tail) and len(task) > len(head) + len(tail):
                    noun = noun or task[len(head) : len(task) - len(tail)]
    return verb, noun


MORE_TASKS = (  # training only, beside those of `functions`
    "Name it {name}: a function that {verb}.",
    "I want {name}, which {verb}.",
    "Make a function {name}. It {verb}.",
    "Python, please: it {verb}.",
    "Show me how a function {verb}.",
    "Program a function which {verb}.",
    "What does a function look like that {verb}?",
    "{name}: {noun}.",
    "Code for {noun}.",
    "How would you program {noun}?",
    "Develop {name}, a function for {noun}.",
)
PHRASES = [_phrases(function) for function in F.FUNCTIONS]


def code(n: Names) -> Sample:
    """One function; three in five with the system text of `%%codegen`."""
    r = n.rng
    number = r.randrange(len(F.FUNCTIONS))
    function, (verb, noun) = F.FUNCTIONS[number], PHRASES[number]
    if n.test:
        task = r.choice(function.held_out_tasks)
    elif r.random() < 0.5 or not verb:
        task = r.choice(function.train_tasks)
    else:
        templates = (
            MORE_TASKS
            if r.random() < 0.4
            else F.TRAIN_TASKS_VERB + F.TRAIN_TASKS_NAMED + (F.TRAIN_TASKS_NOUN if noun else ())
        )
        templates = tuple(t for t in templates if noun or "oun}" not in t)
        task = r.choice(templates).replace("{verb}", verb).replace("{noun}", noun)
        task = task.replace("{Noun}", noun[:1].upper() + noun[1:])
    name = function.name
    if "{name}" in task and (n.test or r.random() < 0.7):
        name = r.choice(F.HELD_OUT_NAMES if n.test else F.TRAIN_NAMES).format(base=function.name)
    text = function.renamed(name) if name != function.name else function.code
    task = task.replace("{name}", name)
    if not n.test:
        task = reworded(r, task)
    system = wording.code_system() if r.random() < 0.6 else None
    return talk("code", task, text, system, kind="code", asserts=list(function.check(name)))
