"""More kinds of facts: events, things, and the rules of a house (see `fact_types` for the notation)."""

# ruff: noqa: E501, SIM905  (tables of wordings: one line reads better than many)

from __future__ import annotations

from .fact_types import (
    REASONS,
    SUBJECTS,
    F,
    borrow,
    choice,
    measure,
    small,
    span,
    start_time,
    text,
    where,
)
from .names import COLOURS, DAYS, MATERIALS

EVENT_FACTS = [
    F(
        "event",
        "when",
        lambda n: {"v": n.date()},
        "{S} takes place on {v}.|{S} is on {v}.|On {v}, {s} takes place.|The date of {s} is {v}.|{S} will be held on {v}.",
        "When does {s} take place? => On {v}|When is {s}? => On {v}|What is the date of {s}? => {v}|On which date is {s} held? => On {v}|Tell me the date of {s}. => {v}",
    ),
    F(
        "event",
        "weekly",
        start_time,
        "{S} takes place every {d} at {v}.|{S} meets on {d}s at {v}.|Every {d} at {v} there is {s}.|{S} is held on {d}s and begins at {v}.",
        "On which day is {s}? => On {d}s|At what time does {s} begin? => At {v}|When does {s} meet? => On {d}s at {v}|What time does {s} start? => At {v}|On what day of the week does {s} take place? => On {d}s|When is {s}? => On {d}s at {v}",
    ),
    F(
        "event",
        "where",
        where,
        "{S} takes place {v}.|{S} is held {v}.|We meet {v} for {s}.|The place of {s} is {v}.",
        "Where does {s} take place? => {v}|Where is {s} held? => {v}|Where do we meet for {s}? => {v}|Where is {s}? => {v}",
    ),
    F(
        "event",
        "cost",
        lambda n: {"v": n.money()},
        "{S} costs {v}.|The price of {s} is {v}.|You pay {v} for {s}.|Taking part in {s} costs {v}.",
        "How much does {s} cost? => {v}|What is the price of {s}? => {v}|What does it cost to take part in {s}? => {v}|How much do I pay for {s}? => {v}",
    ),
    F(
        "event",
        "leader",
        text(lambda n: n.person()),
        "{S} is led by {v}.|{v} leads {s}.|{v} organises {s}.|The organiser of {s} is {v}.|{v} teaches {s}.",
        "Who leads {s}? => {v}|Who organises {s}? => {v}|Who is the organiser of {s}? => {v}|Who is in charge of {s}? => {v}|Name the leader of {s}. => {v}|What does {v} lead? => {S}",
    ),
    F(
        "event",
        "deadline",
        lambda n: {"v": n.date()},
        "Registration for {s} ends on {v}.|Sign up for {s} by {v}.|The deadline for {s} is {v}.|Applications for {s} must arrive by {v}.",
        "What is the deadline for {s}? => {v}|By when must I sign up for {s}? => By {v}|When does registration for {s} end? => On {v}|Until when can I apply for {s}? => Until {v}",
    ),
    F(
        "event",
        "length",
        span,
        "{S} lasts {v}.|The length of {s} is {v}.|{S} goes on for {v}.|{S} takes {v}.",
        "How long does {s} last? => {v}|How long is {s}? => {v}|What is the length of {s}? => {v}|How much time does {s} take? => {v}",
    ),
    F(
        "event",
        "people",
        text(lambda n: str(n.number(3, 900))),
        "{v} people took part in {s}.|{S} had {v} visitors.|{S} is limited to {v} people.|{S} was attended by {v} people.",
        "How many people are named for {s}? => {v}|How many people took part in {s}? => {v}|How many visitors did {s} have? => {v}|How many people attended {s}? => {v}",
    ),
    F(
        "event",
        "bring",
        choice(
            "a pencil|a towel|strong shoes|a lunch box|a laptop|warm clothes|a notebook|gloves|a torch|a cup|an apron|a hat|a swimsuit|safety glasses".split(
                "|"
            )
        ),
        "For {s}, bring {v}.|Please bring {v} to {s}.|Everybody needs {v} for {s}.",
        "What should I bring to {s}? => {v}|What do I need for {s}? => {v}|What must I bring to {s}? => {v}",
    ),
    F(
        "event",
        "why",
        lambda n: {
            "v": n.rng.choice(REASONS),
            "x": n.rng.choice(("cancelled", "postponed", "moved", "shortened", "stopped")),
        },
        "{S} was {x} because {v}.|Because {v}, {s} was {x}.|{S} had to be {x}, for {v}.",
        "Why was {s} {x}? => Because {v}|For what reason was {s} {x}? => Because {v}|Tell me why {s} was {x}. => Because {v}",
    ),
    F(
        "event",
        "winner",
        text(lambda n: n.person()),
        "{v} won {s}.|The winner of {s} was {v}.|{S} was won by {v}.",
        "Who won {s}? => {v}|Who was the winner of {s}? => {v}|Name the winner of {s}. => {v}",
    ),
    F(
        "event",
        "topic",
        choice(SUBJECTS),
        "{S} is about {v}.|The topic of {s} is {v}.|{S} deals with {v}.",
        "What is {s} about? => {v}|What is the topic of {s}? => {v}|Which topic does {s} deal with? => {v}",
    ),
]
THING_FACTS = [
    F(
        "thing",
        "where",
        where,
        "{S} is {v}.|You find {s} {v}.|{S} stands {v}.|{S} is kept {v}.|{S} can be found {v}.",
        "Where is {s}? => {v}|Where do I find {s}? => {v}|Where is {s} kept? => {v}|Where does {s} stand? => {v}|Tell me where {s} is. => {v}",
    ),
    F(
        "thing",
        "price",
        lambda n: {"v": n.money()},
        "{S} costs {v}.|The price of {s} is {v}.|{S} was bought for {v}.|We paid {v} for {s}.",
        "How much does {s} cost? => {v}|What is the price of {s}? => {v}|How much was paid for {s}? => {v}|What does {s} cost? => {v}",
    ),
    F(
        "thing",
        "weight",
        measure(("kg", "grams", "kilograms", "tonnes", "pounds")),
        "{S} weighs {v}.|The weight of {s} is {v}.|{S} has a weight of {v}.",
        "How much does {s} weigh? => {v}|What is the weight of {s}? => {v}|How heavy is {s}? => {v}",
    ),
    F(
        "thing",
        "length",
        measure(("metres", "cm", "m", "centimetres", "feet", "mm")),
        "{S} is {v} long.|The length of {s} is {v}.|{S} has a length of {v}.",
        "How long is {s}? => {v}|What is the length of {s}? => {v}|What length does {s} have? => {v}",
    ),
    F(
        "thing",
        "colour",
        choice(COLOURS),
        "{S} is {v}.|The colour of {s} is {v}.|{S} is painted {v}.|{S} has a {v} lid.",
        "What colour is {s}? => {v}|Which colour does {s} have? => {v}|What is the colour of {s}? => {v}",
    ),
    F(
        "thing",
        "material",
        choice(MATERIALS),
        "{S} is made of {v}.|{S} consists of {v}.|The material of {s} is {v}.|The handle of {s} is made of {v}.",
        "What is {s} made of? => {v}|Which material is {s} made of? => {v}|What material is used for {s}? => {v}",
    ),
    F(
        "thing",
        "owner",
        text(lambda n: n.person()),
        "{S} belongs to {v}.|{v} owns {s}.|The owner of {s} is {v}.|{S} is the property of {v}.",
        "To whom does {s} belong? => To {v}|Who owns {s}? => {v}|Who is the owner of {s}? => {v}|Whose property is {s}? => {v}|Name the owner of {s}. => {v}",
    ),
    F(
        "thing",
        "keeper",
        text(lambda n: n.person()),
        "{v} looks after {s}.|{v} is responsible for {s}.|{S} is repaired by {v}.|Ask {v} before using {s}.|{v} explains how to use {s}.",
        "Who looks after {s}? => {v}|Who is responsible for {s}? => {v}|Whom should I ask about {s}? => {v}|Who can explain {s}? => {v}|Who repairs {s}? => {v}",
    ),
    F(
        "thing",
        "maker",
        lambda n: {"v": n.word(), "y": str(n.number(1800, 2026))},
        "{S} was made by {v} in {y}.|{v} made {s} in {y}.|{S} was built in {y} by {v}.",
        "Who made {s}? => {v}|When was {s} made? => In {y}|In which year was {s} made? => In {y}|Who built {s}? => {v}|When was {s} built? => In {y}",
    ),
    F(
        "thing",
        "temperature",
        lambda n: {"v": f"{n.number(-80, 900)} degrees"},
        "{S} works at {v}.|{S} must be kept at {v}.|{S} reaches {v}.|The temperature of {s} is {v}.",
        "At what temperature is {s} used? => At {v}|What is the temperature of {s}? => {v}|How hot does {s} get? => {v}",
    ),
    F(
        "thing",
        "loan",
        span,
        "{S} may be borrowed for {v}.|You can keep {s} for {v}.|{S} is lent for {v} at most.|The loan of {s} lasts {v}.",
        "For how long may {s} be borrowed? => For {v}|How long can I keep {s}? => {v}|How long is {s} lent? => For {v}|For how long can I borrow {s}? => For {v}",
    ),
    F(
        "thing",
        "count",
        text(small),
        "There are {v} of {s} in the house.|We own {s} {v} times.|{S} exists {v} times.",
        "How many times do we own {s}? => {v}|How often does {s} exist? => {v} times",
    ),
    F(
        "thing",
        "speed",
        measure(("km per hour", "pages a minute", "metres per second", "miles per hour"), 300),
        "{S} runs at {v}.|The speed of {s} is {v}.|{S} reaches {v}.",
        "How fast is {s}? => {v}|What is the speed of {s}? => {v}|What speed does {s} reach? => {v}",
    ),
    F(
        "thing",
        "password",
        text(lambda n: n.word().lower() + str(n.number(2, 99))),
        "The password of {s} is {v}.|Use the password {v} for {s}.|{S} has the code word {v}.",
        "What is the password of {s}? => {v}|Which password do I use for {s}? => {v}|What is the code word of {s}? => {v}",
    ),
    F(
        "thing",
        "why",
        lambda n: {
            "v": n.rng.choice(REASONS),
            "x": n.rng.choice(("sold", "replaced", "repaired", "moved", "locked away", "switched off")),
        },
        "{S} was {x} because {v}.|Because {v}, {s} was {x}.|{S} had to be {x} because {v}.",
        "Why was {s} {x}? => Because {v}|For what reason was {s} {x}? => Because {v}|Why did {s} have to be {x}? => Because {v}",
    ),
    F(
        "thing",
        "service",
        lambda n: {"v": n.date(year=False), "t": span(n)["v"]},
        "{S} is checked every {t}, next on {v}.|The next check of {s} is on {v}; it is checked every {t}.",
        "When is the next check of {s}? => On {v}|How often is {s} checked? => Every {t}",
    ),
    F(
        "thing",
        "food",
        choice(
            "cheese|apples|rice|lentils|walnuts|honey|barley|plums|beans|salmon|ginger|oats|pears|pepper|cream|figs|onions|lemon".split(
                "|"
            )
        ),
        "{S} smells of {v}.|{S} is filled with {v}.|{S} is used for {v}.",
        "What is named as belonging to {s}? => {v}|What goes with {s}? => {v}",
    ),
]
RULE_FACTS = [
    F(
        "rule",
        "kept",
        where,
        "{S} are kept {v}.|{S} may be left {v}.|Please leave {s} {v}.|Put {s} {v}.|The place for {s} is {v}.|{S} can be parked or stored {v}.",
        "Where are {s} kept? => {v}|Where can I leave {s}? => {v}|Where should I put {s}? => {v}|Where is the place for {s}? => {v}|Where may {s} be left? => {v}|Where can I park or store {s}? => {v}",
    ),
    F(
        "rule",
        "collect",
        where,
        "{S} can be collected {v}.|You get {s} {v}.|{S} are handed out {v}.|Pick up {s} {v}.",
        "Where do I get {s}? => {v}|Where can {s} be collected? => {v}|Where are {s} handed out? => {v}|Where can I pick up {s}? => {v}",
    ),
    F(
        "rule",
        "ask",
        text(lambda n: n.person()),
        "For {s}, ask {v}.|{v} is responsible for {s}.|Questions about {s} are answered by {v}.|{v} looks after {s}.|{v} hands out {s}.",
        "Whom do I ask about {s}? => {v}|Who is responsible for {s}? => {v}|Who answers questions about {s}? => {v}|Who looks after {s}? => {v}|Who should I contact about {s}? => {v}",
    ),
    F(
        "rule",
        "limit",
        borrow,
        "Everyone may take {v} {s}.|Each guest may borrow up to {v} {s}.|At most {v} {s} per person are allowed.|A member may borrow {v} {s} at a time.|You may have up to {v} {s}.",
        "How many {s} may I borrow? => {v}|How many {s} may each person take? => {v}|How many {s} are allowed per person? => {v}|How many {s} may be borrowed at a time? => {v}|What is the limit for {s}? => {v}",
    ),
    F(
        "rule",
        "period",
        span,
        "{S} may be kept for {v}.|{S} must be returned after {v}.|The loan period for {s} is {v}.|{S} are lent for {v}.",
        "For how long may {s} be kept? => For {v}|What is the loan period for {s}? => {v}|After how long must {s} be returned? => After {v}|How long can I keep {s}? => {v}|How long may I borrow {s}? => {v}",
    ),
    F(
        "rule",
        "price",
        lambda n: {"v": n.money()},
        "{S} cost {v} each.|The price of {s} is {v}.|We charge {v} for {s}.|The fee for lost {s} is {v}.",
        "How much do {s} cost? => {v}|What is the price of {s}? => {v}|What is charged for {s}? => {v}|How much do I pay for {s}? => {v}",
    ),
    F(
        "rule",
        "until",
        start_time,
        "{S} must be returned by {v} on {d}s.|{S} must be ordered by {v} on {d}.|{S} have to be announced before {v} on {d}s.",
        "By what time must {s} be returned or ordered? => By {v}|On which day must {s} be returned or ordered? => On {d}s|Until when must {s} be announced? => {v} on {d}s",
    ),
    F(
        "rule",
        "forbidden",
        where,
        "{S} are not allowed {v}.|No {s} {v}!|It is forbidden to bring {s} {v}.",
        "Where are {s} not allowed? => {v}|Where is it forbidden to bring {s}? => {v}",
    ),
    F(
        "rule",
        "colour",
        choice(COLOURS),
        "{S} have a {v} label.|{S} are marked {v}.|The colour of {s} is {v}.",
        "What colour are {s}? => {v}|How are {s} marked? => {v}|Which colour do {s} have? => {v}",
    ),
    F(
        "rule",
        "emergency",
        text(lambda n: n.phone()),
        "In case of trouble with {s}, call {v}.|The number for {s} is {v}.|For {s}, dial {v}.|Report broken {s} at {v}.",
        "Which number do I call about {s}? => {v}|What number is for {s}? => {v}|What do I dial for {s}? => {v}|Where do I report broken {s}? => {v}",
    ),
    F(
        "rule",
        "day",
        choice(DAYS),
        "{S} are collected on {v}s.|{S} are delivered every {v}.|New {s} come on {v}s.|{S} are given out on {v}s.",
        "On which day do {s} come or go? => On {v}s|When are {s} delivered? => On {v}s|When are {s} collected? => On {v}s|On what day are {s} given out? => On {v}s",
    ),
]
HOUSE_FACTS = [
    F(
        "house",
        "emergency",
        text(lambda n: n.phone()),
        "In an emergency, call {v}.|The emergency number is {v}.|In case of fire dial {v}.|For emergencies, dial {v} from any phone.",
        "What is the emergency number? => {v}|Which number do I call in an emergency? => {v}|What do I dial in an emergency? => {v}|Whom do I call in case of fire? => {v}",
    ),
    F(
        "house",
        "bicycles",
        where,
        "Bicycles are parked {v}.|Please park bicycles {v}.|There is a bicycle rack {v}.|Bicycles belong {v}.",
        "Where are bicycles parked? => {v}|Where can I park my bicycle? => {v}|Where is the bicycle rack? => {v}|Where do bicycles belong? => {v}|Where should I leave my bike? => {v}",
    ),
    F(
        "house",
        "wifi",
        text(lambda n: n.word()),
        "The wireless network is called {v}.|The name of the wifi is {v}.|Connect to the network {v}.",
        "What is the name of the wifi? => {v}|How is the wireless network called? => {v}|To which network do I connect? => {v}",
    ),
    F(
        "house",
        "lunch",
        lambda n: {"a": n.clock(11, 12), "b": n.clock(13, 15)},
        "Lunch is served from {a} to {b}.|You get lunch between {a} and {b}.|Lunch time is {a} to {b}.",
        "When is lunch served? => From {a} to {b}|From when can I get lunch? => From {a}|Until when is lunch served? => Until {b}|At what time does lunch begin? => At {a}",
    ),
    F(
        "house",
        "staff",
        lambda n: {"v": str(n.number(5, 2000))},
        "{v} people work here.|The house has {v} employees.|We employ {v} people.",
        "How many people work here? => {v}|How many employees does the house have? => {v}|How many people are employed? => {v}",
    ),
    F(
        "house",
        "holiday",
        lambda n: {"v": n.date(year=False), "w": n.date(year=False)},
        "The house is closed from {v} to {w}.|The winter break lasts from {v} to {w}.|There is no service from {v} until {w}.",
        "When is the house closed? => From {v} to {w}|When does the break begin? => On {v}|Until when does the break last? => Until {w}",
    ),
    F(
        "house",
        "books",
        lambda n: {"v": small(n), "t": span(n)["v"]},
        "Readers may borrow {v} books for {t}.|Up to {v} books may be borrowed for {t}.|You may borrow {v} books at a time and keep them for {t}.|Each member can take {v} books home for {t}.",
        "How many books may be borrowed? => {v}|How many books may I borrow? => {v}|How many books can I take home? => {v}|For how long may books be borrowed? => For {t}|How long can I keep a book? => {t}|How many books may readers borrow at a time? => {v}",
    ),
    F(
        "house",
        "guest",
        lambda n: {"v": n.money()},
        "A guest room costs {v} a night.|Guest rooms cost {v} per night.|The price of a guest room is {v} a night.|One night in a guest room costs {v}.",
        "How much does a guest room cost? => {v} a night|What is the price of a guest room? => {v} a night|What does a night in the guest room cost? => {v}|How much is a guest room per night? => {v}",
    ),
    F(
        "house",
        "smoking",
        where,
        "Smoking is allowed only {v}.|You may smoke only {v}.|The smoking area is {v}.",
        "Where may I smoke? => {v}|Where is smoking allowed? => {v}|Where is the smoking area? => {v}",
    ),
    F(
        "house",
        "bus",
        lambda n: {"v": str(n.number(2, 399)), "t": str(n.number(5, 60))},
        "Bus {v} leaves every {t} minutes.|Take bus {v}, which comes every {t} minutes.|The stop is served by bus {v} every {t} minutes.",
        "Which bus do I take? => Bus {v}|How often does the bus leave? => Every {t} minutes|Which bus stops here? => Bus {v}|How often does bus {v} come? => Every {t} minutes",
    ),
]
