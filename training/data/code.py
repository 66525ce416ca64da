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
WORDS = (  # noqa: SIM905
    "my new own fast safe simple main task step data value result test run make do get build quick small helper one two"
).split()
"""Parts of function names of training; none is part of a held-out name's template."""


def any_name(n: Names, base: str) -> str:
    """A name for a function: of the templates, or put together of anything, so that names are read and not guessed."""
    r = n.rng
    draw = r.random()
    if draw < 0.4:
        return r.choice(F.TRAIN_NAMES).format(base=base)
    if draw < 0.7:
        before, after = r.choice((*WORDS, n.word().lower())), r.choice((*WORDS, n.word().lower(), str(r.randint(1, 9))))
        return r.choice((f"{before}_{base}", f"{base}_{after}", f"{before}_{base}_{after}"))
    if draw < 0.8:
        return n.word().lower()
    return "_".join(r.choice((r.choice(WORDS), n.word().lower())) for _ in range(r.randint(2, 3)))


def signature(n: Names) -> Sample:
    """Only a function's first line under a given name: an exercise in reading names. Training only."""
    r = n.rng
    function = r.choice(F.FUNCTIONS)
    name = any_name(n, function.name)
    line = next(line for line in function.renamed(name).splitlines() if line.startswith("def "))
    arguments = line[line.index("(") + 1 : line.rindex(")")]
    task = r.choice(
        (
            "Write the first line of a function {name} with {arguments}.",
            "Begin a function {name}({arguments}).",
            "The def line of {name}, which takes {arguments}, please.",
        )
    ).format(name=name, arguments=arguments)
    return talk("code", task, line, wording.code_system() if r.random() < 0.6 else None, kind="exact")


PHRASES = [_phrases(function) for function in F.FUNCTIONS]


def code(n: Names) -> Sample:
    """One function; three in five with the system text of `%%codegen`."""
    r = n.rng
    if not n.test and r.random() < 0.12:
        return signature(n)
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
            else F.TRAIN_TASKS_NAMED
            if r.random() < 0.3
            else F.TRAIN_TASKS_VERB + F.TRAIN_TASKS_NAMED + (F.TRAIN_TASKS_NOUN if noun else ())
        )
        templates = tuple(t for t in templates if noun or "oun}" not in t)
        task = r.choice(templates).replace("{verb}", verb).replace("{noun}", noun)
        task = task.replace("{Noun}", noun[:1].upper() + noun[1:])
    name = function.name
    if "{name}" in task and (n.test or r.random() < 0.7):
        name = r.choice(F.HELD_OUT_NAMES).format(base=function.name) if n.test else any_name(n, function.name)
    text = function.renamed(name) if name != function.name else function.code
    task = task.replace("{name}", name)
    if not n.test:
        task = reworded(r, task)
    system = wording.code_system() if r.random() < 0.6 else None
    return talk("code", task, text, system, kind="code", asserts=list(function.check(name)))
