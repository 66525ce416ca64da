"""Requests put together of a lead and a noun phrase: thousands of training wordings of the same question."""

# ruff: noqa: E501, SIM905  (tables of wordings: one line reads better than many)

from __future__ import annotations

import random

LEADS = (
    "Tell me|I need|Give me|State|Let me know|Could you tell me|Can you give me|Write down|Find out|Return|Print|Output|I forgot|Remind me of|"
    "I am curious about|I ask you for|I want to know|Do you know|What is|Help me with|Look up|Answer with|Search for|I want|We need|Please tell me|"
    "Please give me|Please write|Would you tell me|My friend asks for|The quiz asks for|Fill in|Now|Next,|And|So, what is|Well, what is|Quick:|"
    "For a crossword:|I must learn|Teach me|Show|Show me|Note|Mention|Choose|Pick|Report|Provide me with|Explain|Describe|I was asked for"
).split("|")
NOUNS = {
    "capital": (
        "the capital of {country}|{country}'s capital|the capital city of {country}|the city that is the capital of {country}|"
        "the name of the capital of {country}|the capital that {country} has|the capital in {country}|the town that governs {country}|"
        "the city which serves {country} as capital|the capital city in {country}|{country}'s capital city"
    ),
    "dish": (
        "a popular dish of {country}|the best known food of {country}|the national dish of {country}|a famous dish from {country}|"
        "the favourite food of {country}|a food that {country} is famous for|{country}'s favourite dish|what people from {country} eat|"
        "the dish to taste in {country}|a meal that is typical of {country}|the most popular food in {country}|food from {country}|"
        "a dish that visitors of {country} eat|the dish that people in {country} like most|the most famous food of {country}"
    ),
    "ingredients": (
        "the ingredients of {dish}|the ingredients for {dish}|everything that {dish} needs|a shopping list for {dish}|all that is inside {dish}|"
        "what belongs in {dish}|a bullet list of the ingredients of {dish}|what to buy for {dish}|the main ingredients of {dish} as bullet points|"
        "the things in {dish}|a list of what is in {dish}|what I put into {dish}|the key parts of {dish} in a list|what makes {dish}"
    ),
    "definition": (
        "the meaning of {term}|a definition of {term}|what {term} is|what {term} means|the sense of {term}|the term {term}|the word {term}|"
        "a short explanation of {term}|one sentence on {term}|one sentence about {term}|the idea of {term}|the concept of {term}|"
        "what one calls {term}|what a beginner must know of {term}|in one sentence {term}|a simple sentence on {term}|what {term} stands for|"
        "briefly what {term} is|the definition of {term} for a beginner|in short {term}"
    ),
    "country_of_capital": (
        "the country whose capital is {capital}|the country of the capital {capital}|which country has the capital {capital}|"
        "the country that is governed from {capital}|the land with {capital} as capital|the name of the country with the capital {capital}|"
        "where {capital} is the capital|the country in which {capital} is the capital city|the state whose government is in {capital}"
    ),
    "continent": (
        "the continent of {country}|the continent that {country} lies on|where in the world {country} is|{country}'s continent|"
        "which continent {country} is in|the continent that has {country}|on what continent {country} is|the part of the world with {country}"
    ),
    "language": (
        "the language of {country}|what people in {country} speak|the language that one hears in {country}|{country}'s language|"
        "which language is spoken in {country}|the language to learn for {country}|the language spoken in {country}|what {country} speaks"
    ),
    "currency": (
        "the currency of {country}|the money of {country}|{country}'s currency|what people pay with in {country}|the money used in {country}|"
        "the name of the money in {country}|which currency to take to {country}|the currency in which {country} pays|the money that {country} has"
    ),
}
TAILS = (
    "| now| for me| today| please|, thanks| if you can| for my homework| before I travel| in a few words| for the quiz| once more"
).split("|")


def request(r: random.Random, kind: str) -> str:
    """A request with the slot of its kind left open."""
    text = f"{r.choice(LEADS)} {r.choice(NOUNS[kind].split('|'))}{r.choice(TAILS) if r.random() < 0.3 else ''}"
    return text + r.choice((".", ".", "?", "", ":", "!"))
