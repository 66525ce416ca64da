"""Invented names, numbers, dates and small things, each drawn from the training side or the held-out side of the split.

Every word of a name, and every number above 9, falls on one side by its hash (`sample.held_out`), so no name
or number of the test is ever in training.
"""

# ruff: noqa: E501, SIM905  (tables of wordings: one line reads better than many)

from __future__ import annotations

import random

from .sample import held_out

ONSETS = "b br c ch d dr f fl fr g gr h j k kl l m n p pr r s sh sk st t th tr v w z y gl".split() + [""] * 3
VOWELS = "a e i o u a e i o u ai ea ie ou ay oo".split()
CODAS = [""] * 9 + "l n r s m nd rk st th x ck ll nn rt".split()
ENDS = "a e i o en er in on us an el is ia or et ow ey ham ton berg wick field ford stad mere".split()
FIRST = (
    "Ada Agnes Alan Albert Alice Amir Ana Andrea Anita Anne Anton Arthur Astrid Bela Bernard Bianca Boris Bruno "
    "Carla Carlos Carmen Cecil Chen Clara Claude Conrad Dagmar Daniel Daria David Diana Diego Dora Edgar Edith Elena "
    "Elias Elsa Emil Emma Enzo Erik Esther Eva Fatima Felix Fiona Flora Frank Frieda Gabriel George Gita Grace "
    "Greta Gustav Hanna Harald Hasan Hedwig Helen Henry Hilda Hugo Ian Ida Igor Ilse Ines Ingrid Irene Isaac Ivan "
    "Jack Jana Jasper Joan John Jonas Judith Julia Karl Kate Kenji Kirsten Laila Lars Laura Leo Lena Leon Lina Lisa "
    "Louis Lucia Luke Mara Marcus Maria Marie Martin Mary Max Maya Mei Mila Mona Nadia Nina Noah Nora Oda Olga Oscar "
    "Otto Pablo Paul Paula Pedro Peter Petra Philip Rachel Ravi Rita Robert Rosa Ruth Sam Sara Selma Simon Sofia "
    "Stefan Susan Sven Tamara Tara Theo Thomas Tilda Tom Ulla Uma Vera Victor Viola Walter Wanda Xenia Yara Yusuf Zoe"
).split()
LAST = (
    "Abbot Adler Albers Baker Barlow Becker Bell Berger Bishop Brandt Brown Carter Castle Chen Clark Cooper Costa "
    "Crane Dahl Dalton Davis Dietrich Duran Eaton Ekman Ellis Falk Farmer Fischer Forster Fox Garcia Garner Gray "
    "Haas Hale Hansen Harper Hart Hill Holm Horvath Ivanov Jansen Jensen Keller Kent King Klein Kovac Kramer Lang "
    "Larsen Lehmann Lopez Lund Marsh Mason Meyer Miller Moore Moreno Nagel Nash Novak Olsen Orlov Osman Parker Patel "
    "Perez Petrov Pohl Porter Quinn Ramos Reed Richter Rossi Sander Sato Schmidt Silva Simon Singh Smith Stein Stone "
    "Tanaka Taylor Torres Turner Vargas Vogel Wagner Walker Weber West White Wolf Wood Young Zimmer"
).split()
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
COLOURS = [
    c.replace("_", " ")
    for c in (
        "red blue green yellow white black grey brown orange purple pink silver golden turquoise beige violet dark_blue "
        "light_green dark_red pale_yellow dark_green light_blue light_grey bright_red"
    ).split()
]
MATERIALS = (
    "oak pine steel glass marble brick concrete copper leather cotton wool bamboo granite clay bronze silk plastic paper "
    "aluminium sandstone limestone cork linen porcelain iron brass walnut ebony slate ceramic"
).split()
UNITS_OF_MONEY = "euros dollars crowns pounds francs".split()


class Names:
    """Draws names and values from one side of the split: training's, or (`test`) the held-out side."""

    def __init__(self, rng: random.Random, test: bool = False):
        self.rng = rng
        self.test = test
        self.operands = ""
        """The last operands that `formulas` drew, as the split names them."""

    def ours(self, text: str) -> bool:
        """Whether `text` lies on this side of the split."""
        return held_out(text) == self.test

    def pick(self, options: list[str] | tuple[str, ...]) -> str:
        """One of the options of this side (any, where the side has none)."""
        for _ in range(40):
            word = self.rng.choice(options)
            if self.ours(word):
                return word
        return self.rng.choice(options)

    def word(self) -> str:
        """A capitalised invented word of two or three syllables."""
        rng = self.rng
        while True:
            syllables = rng.choice((1, 1, 1, 2, 2, 2))
            text = "".join(
                rng.choice(ONSETS) + rng.choice(VOWELS) + (rng.choice(CODAS) if i == syllables - 1 else "")
                for i in range(syllables)
            )
            text += rng.choice(ONSETS[:30]) + rng.choice(ENDS) if syllables < 3 else rng.choice("a o n s r e".split())
            if 3 <= len(text) <= 8 and self.ours(text):
                return text.capitalize()

    def first(self) -> str:
        """A first name, real or invented."""
        return self.pick(FIRST) if self.rng.random() < 0.5 else self.word()

    def last(self) -> str:
        """A family name, real or invented."""
        return self.pick(LAST) if self.rng.random() < 0.4 else self.word()

    def person(self) -> str:
        """A person: mostly first and family name, sometimes one name, sometimes a title."""
        draw = self.rng.random()
        if draw < 0.15:
            return self.first()
        if draw < 0.25:
            return f"{self.rng.choice(('Dr.', 'Professor', 'Mr', 'Mrs', 'Ms'))} {self.last()}"
        if draw < 0.32:
            return f"Dr. {self.first()} {self.last()}"
        return f"{self.first()} {self.last()}"

    def number(self, low: int, high: int) -> int:
        """A number of this side; below 10 every number is on both sides."""
        for _ in range(60):
            value = self.rng.randint(low, high)
            if value < 10 or self.ours(str(value)):
                return value
        return self.rng.randint(low, high)

    def date(self, year: bool | None = None) -> str:
        """Like `4 May 1921`, `May 4, 1921` or, without a year, `4 May`."""
        for _ in range(60):
            day, month = self.rng.randint(1, 28), self.rng.choice(MONTHS)
            with_year = self.rng.random() < 0.6 if year is None else year
            if self.ours(f"{day} {month}"):
                break
        if not with_year:
            return f"{day} {month}"
        y = self.rng.randint(1820, 2030)
        return f"{month} {day}, {y}" if self.rng.random() < 0.2 else f"{day} {month} {y}"

    def clock(self, low: int = 6, high: int = 22) -> str:
        """A time of the day, like `9:30`, sometimes `9 am`."""
        hour = self.rng.randint(low, high)
        draw = self.rng.random()
        if draw < 0.2:
            return f"{(hour - 1) % 12 + 1} {'am' if hour < 12 else 'pm'}"
        if draw < 0.3:
            spoken = "one two three four five six seven eight nine ten eleven twelve".split()[(hour - 1) % 12]
            half = self.rng.choice(("", "", "half past "))
            return f"{half}{spoken} in the {'morning' if hour < 12 else 'afternoon' if hour < 18 else 'evening'}"
        return f"{hour}:{self.rng.choice(('00', '30', '15', '45'))}"

    def money(self) -> str:
        """A price, like `12 euros` or `4.50 euros`."""
        unit = self.rng.choice(UNITS_OF_MONEY[:2] + UNITS_OF_MONEY)
        if self.rng.random() < 0.25:
            return f"{self.rng.randint(1, 30)}.{self.rng.choice(('50', '20', '80', '90', '25'))} {unit}"
        if self.rng.random() < 0.12:
            return f"{self.rng.randint(1, 9)},{self.number(100, 999)} {unit}"
        return f"{self.number(2, self.rng.choice((30, 99, 999)))} {unit}"

    def phone(self) -> str:
        """An extension or a telephone number."""
        if self.rng.random() < 0.5:
            return str(self.number(100, 9999))
        return f"0{self.rng.randint(10, 999)} {self.number(10000, 999999)}"

    def email(self) -> str:
        """An invented e-mail address."""
        host = f"{self.word().lower()}.{self.rng.choice(('org', 'com', 'net', 'edu', 'example'))}"
        user = self.rng.choice((self.word().lower(), "info", "office", "desk", "help", self.first().lower()))
        return f"{user}@{host}"

    def room(self) -> str:
        """A room's label, like `12`, `B204` or `3.14`."""
        draw = self.rng.random()
        if draw < 0.5:
            return str(self.number(1, 499))
        if draw < 0.8:
            return f"{self.rng.choice('ABCDEFGH')}{self.number(1, 399)}"
        return f"{self.rng.randint(1, 9)}.{self.number(10, 49)}"
