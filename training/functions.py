"""Small Python functions with task wordings for the synthetic training set of the tiny language model.

Pure data: each function has its code, several ways to ask for it (some of them held out from training) and
asserts that hold for it. Run the module to check every function under its own and under another name.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

TRAIN_NAMES: tuple[str, ...] = (
    "{base}",
    "compute_{base}",
    "get_{base}",
    "{base}_of",
    "my_{base}",
    "{base}_function",
    "do_{base}",
    "{base}_helper",
    "simple_{base}",
    "{base}_v2",
)
HELD_OUT_NAMES: tuple[str, ...] = ("calc_{base}", "find_{base}_value", "{base}_solver", "our_{base}")

TRAIN_TASKS_VERB: tuple[str, ...] = (
    "Write a function that {verb}.",
    "Write a Python function that {verb}.",
    "I need a function that {verb}.",
    "I need code that {verb}.",
    "Can you write a function that {verb}?",
    "Please write a Python function that {verb}.",
    "Just return the code of a function that {verb}.",
)
TRAIN_TASKS_NAMED: tuple[str, ...] = (
    "Create a function {name} that {verb}.",
    "Write a function {name} that {verb}.",
    "Define a Python function called {name} that {verb}.",
    "Write a Python function named {name} that {verb}.",
    "Write a function {name} for {noun}.",
    "I want a function called {name} that {verb}.",
)
TRAIN_TASKS_NOUN: tuple[str, ...] = (
    "Write a Python function for {noun}.",
    "{Noun} as a function, please.",
    "Give me a Python function for {noun}.",
    "Python function for {noun}",
    "Show me Python code for {noun}.",
    "Write code for {noun}.",
    "Could you give me a function for {noun}?",
)
HELD_OUT_TASKS: tuple[str, ...] = (
    "Implement a function which {verb}.",
    "How do I write a function for {noun} in Python?",
    "Please help me to code {noun} as a Python function.",
)
HELD_OUT_TASKS_NAMED: tuple[str, ...] = (
    "Implement {name}, a function which {verb}.",
    "The function should be called {name}. It {verb}.",
    "Code a function with the name {name} for {noun}.",
)


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its code, the tasks that ask for it and asserts with `{name}` in place of its name."""

    name: str
    code: str
    train_tasks: tuple[str, ...]
    held_out_tasks: tuple[str, ...]
    asserts: tuple[str, ...]
    arguments: tuple[str, ...]

    def renamed(self, new_name: str) -> str:
        """The code with the function under another name."""
        return re.sub(rf"\b{re.escape(self.name)}\b", new_name, self.code)

    def check(self, new_name: str | None = None) -> tuple[str, ...]:
        """The asserts for the function under its own name, or under another one."""
        return tuple(line.replace("{name}", new_name or self.name) for line in self.asserts)


NEW_PATH = "(p := __import__('pathlib').Path(__import__('tempfile').mkdtemp(), 'a'))"
_made: list[Function] = []


def _f(verb: str, noun: str, code: str, *facts: str) -> None:
    """Add a function; in the facts, `F` stands for its name and `PATH` for a new file, then called p."""
    number = len(_made)
    code = code.strip("\n")
    definition = next(node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef))

    def pick(templates: tuple[str, ...], count: int) -> list[str]:
        chosen = [templates[(number + step) % len(templates)] for step in range(count)]
        return [
            template.replace("{verb}", verb).replace("{noun}", noun).replace("{Noun}", noun[0].upper() + noun[1:])
            for template in chosen
        ]

    _made.append(
        Function(
            name=definition.name,
            code=code,
            train_tasks=(*pick(TRAIN_TASKS_VERB, 2), *pick(TRAIN_TASKS_NAMED, 2), *pick(TRAIN_TASKS_NOUN, 2)),
            held_out_tasks=(*pick(HELD_OUT_TASKS, 1), *pick(HELD_OUT_TASKS_NAMED, 1)),
            asserts=tuple("assert " + re.sub(r"\bF\(", "{name}(", fact).replace("PATH", NEW_PATH) for fact in facts),
            arguments=tuple(argument.arg for argument in definition.args.args),
        )
    )


_f(
    "returns the area of a circle",
    "the area of a circle with a given radius",
    """
import math

def circle_area(radius):
    return math.pi * radius ** 2
""",
    "abs(F(1) - 3.14159) < 1e-3",
    "F(0) == 0",
)
_f(
    "returns the circumference of a circle",
    "the circumference of a circle",
    """
import math

def circumference(radius):
    return 2 * math.pi * radius
""",
    "abs(F(1) - 6.28318) < 1e-3",
    "F(0) == 0",
)
_f(
    "returns the area of a rectangle",
    "the area of a rectangle",
    """
def rectangle_area(width, height):
    return width * height
""",
    "F(2, 3) == 6",
    "F(4, 4) == 16",
)
_f(
    "returns the perimeter of a rectangle",
    "the perimeter of a rectangle",
    """
def rectangle_perimeter(width, height):
    return 2 * (width + height)
""",
    "F(2, 3) == 10",
    "F(1, 1) == 4",
)
_f(
    "returns the area of a square",
    "the area of a square",
    """
def square_area(side):
    return side ** 2
""",
    "F(3) == 9",
    "F(1) == 1",
)
_f(
    "returns the area of a triangle from its base and height",
    "the area of a triangle",
    """
def triangle_area(base, height):
    return base * height / 2
""",
    "F(4, 3) == 6",
    "F(1, 1) == 0.5",
)
_f(
    "returns the area of a triangle from its three sides",
    "the area of a triangle with three given sides",
    """
import math

def heron_area(a, b, c):
    s = (a + b + c) / 2
    return math.sqrt(s * (s - a) * (s - b) * (s - c))
""",
    "abs(F(3, 4, 5) - 6) < 1e-9",
    "abs(F(6, 8, 10) - 24) < 1e-9",
)
_f(
    "returns the area of a trapezoid",
    "the area of a trapezoid",
    """
def trapezoid_area(a, b, height):
    return (a + b) * height / 2
""",
    "F(2, 4, 3) == 9",
    "F(1, 1, 1) == 1",
)
_f(
    "returns the volume of a sphere",
    "the volume of a sphere",
    """
import math

def sphere_volume(radius):
    return 4 / 3 * math.pi * radius ** 3
""",
    "abs(F(1) - 4.18879) < 1e-3",
    "F(0) == 0",
)
_f(
    "returns the volume of a cylinder",
    "the volume of a cylinder",
    """
import math

def cylinder_volume(radius, height):
    return math.pi * radius ** 2 * height
""",
    "abs(F(1, 2) - 6.28318) < 1e-3",
    "F(0, 5) == 0",
)
_f(
    "returns the volume of a cube",
    "the volume of a cube",
    """
def cube_volume(side):
    return side ** 3
""",
    "F(3) == 27",
    "F(1) == 1",
)
_f(
    "returns the volume of a cone",
    "the volume of a cone",
    """
import math

def cone_volume(radius, height):
    return math.pi * radius ** 2 * height / 3
""",
    "abs(F(1, 3) - 3.14159) < 1e-3",
    "F(0, 1) == 0",
)
_f(
    "returns the length of the hypotenuse of a right triangle",
    "the hypotenuse of a right triangle",
    """
import math

def hypotenuse(a, b):
    return math.sqrt(a ** 2 + b ** 2)
""",
    "F(3, 4) == 5",
    "F(6, 8) == 10",
)
_f(
    "converts Celsius to Fahrenheit",
    "the conversion from Celsius to Fahrenheit",
    """
def celsius_to_fahrenheit(celsius):
    return celsius * 9 / 5 + 32
""",
    "F(0) == 32",
    "F(100) == 212",
)
_f(
    "converts Fahrenheit to Celsius",
    "the conversion from Fahrenheit to Celsius",
    """
def fahrenheit_to_celsius(fahrenheit):
    return (fahrenheit - 32) * 5 / 9
""",
    "F(32) == 0",
    "F(212) == 100",
)
_f(
    "converts Celsius to Kelvin",
    "the conversion from Celsius to Kelvin",
    """
def celsius_to_kelvin(celsius):
    return celsius + 273.15
""",
    "F(0) == 273.15",
    "abs(F(100) - 373.15) < 1e-9",
)
_f(
    "converts kilometres to miles",
    "the conversion from kilometres to miles",
    """
def km_to_miles(km):
    return km * 0.621371
""",
    "abs(F(10) - 6.21371) < 1e-6",
    "F(0) == 0",
)
_f(
    "converts miles to kilometres",
    "the conversion from miles to kilometres",
    """
def miles_to_km(miles):
    return miles * 1.609344
""",
    "abs(F(10) - 16.09344) < 1e-6",
    "F(0) == 0",
)
_f(
    "converts kilograms to pounds",
    "the conversion from kilograms to pounds",
    """
def kg_to_pounds(kg):
    return kg * 2.20462
""",
    "abs(F(10) - 22.0462) < 1e-6",
    "F(0) == 0",
)
_f(
    "converts inches to centimetres",
    "the conversion from inches to centimetres",
    """
def inches_to_cm(inches):
    return inches * 2.54
""",
    "abs(F(10) - 25.4) < 1e-9",
    "F(0) == 0",
)
_f(
    "checks if a text is a palindrome",
    "a palindrome check",
    """
def is_palindrome(text):
    text = text.lower()
    return text == text[::-1]
""",
    "F('Anna')",
    "not F('hello')",
)
_f(
    "reverses a string",
    "reversing a string",
    """
def reverse_string(text):
    return text[::-1]
""",
    "F('abc') == 'cba'",
    "F('') == ''",
)
_f(
    "counts the vowels in a text",
    "counting the vowels in a text",
    """
def count_vowels(text):
    return sum(1 for letter in text.lower() if letter in "aeiou")
""",
    "F('Hello') == 2",
    "F('xyz') == 0",
)
_f(
    "counts the words in a text",
    "counting the words in a text",
    """
def count_words(text):
    return len(text.split())
""",
    "F('one two three') == 3",
    "F('') == 0",
)
_f(
    "returns the factorial of a number",
    "the factorial of a number",
    """
def factorial(n):
    result = 1
    for i in range(2, n + 1):
        result *= i
    return result
""",
    "F(5) == 120",
    "F(0) == 1",
)
_f(
    "returns the factorial of a number with recursion",
    "a recursive factorial",
    """
def factorial_recursive(n):
    if n <= 1:
        return 1
    return n * factorial_recursive(n - 1)
""",
    "F(5) == 120",
    "F(0) == 1",
)
_f(
    "returns the n-th Fibonacci number",
    "the n-th Fibonacci number",
    """
def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a
""",
    "F(0) == 0",
    "F(10) == 55",
)
_f(
    "returns the first n Fibonacci numbers as a list",
    "a list of the first n Fibonacci numbers",
    """
def fibonacci_list(n):
    numbers = []
    a, b = 0, 1
    for _ in range(n):
        numbers.append(a)
        a, b = b, a + b
    return numbers
""",
    "F(6) == [0, 1, 1, 2, 3, 5]",
    "F(0) == []",
)
_f(
    "checks if a number is prime",
    "a prime number check",
    """
def is_prime(n):
    if n < 2:
        return False
    for i in range(2, int(n ** 0.5) + 1):
        if n % i == 0:
            return False
    return True
""",
    "F(7)",
    "not F(9)",
    "not F(1)",
)
_f(
    "returns all prime numbers up to n",
    "all prime numbers up to n",
    """
def primes_up_to(n):
    return [i for i in range(2, n + 1) if all(i % d for d in range(2, int(i ** 0.5) + 1))]
""",
    "F(10) == [2, 3, 5, 7]",
    "F(1) == []",
)
_f(
    "returns the greatest common divisor of two numbers",
    "the greatest common divisor of two numbers",
    """
def gcd(a, b):
    while b:
        a, b = b, a % b
    return a
""",
    "F(12, 18) == 6",
    "F(7, 3) == 1",
)
_f(
    "returns the least common multiple of two numbers",
    "the least common multiple of two numbers",
    """
import math

def lcm(a, b):
    return a * b // math.gcd(a, b)
""",
    "F(4, 6) == 12",
    "F(3, 5) == 15",
)
_f(
    "returns the prime factors of a number",
    "the prime factors of a number",
    """
def prime_factors(n):
    factors, d = [], 2
    while n > 1:
        while n % d == 0:
            factors.append(d)
            n //= d
        d += 1
    return factors
""",
    "F(12) == [2, 2, 3]",
    "F(7) == [7]",
)
_f(
    "returns all divisors of a number",
    "all divisors of a number",
    """
def divisors(n):
    return [i for i in range(1, n + 1) if n % i == 0]
""",
    "F(6) == [1, 2, 3, 6]",
    "F(1) == [1]",
)
_f(
    "returns the sum of a list of numbers",
    "the sum of a list of numbers",
    """
def list_sum(numbers):
    return sum(numbers)
""",
    "F([1, 2, 3]) == 6",
    "F([]) == 0",
)
_f(
    "adds up a list of numbers without using sum",
    "the sum of a list without the built-in function",
    """
def manual_sum(numbers):
    total = 0
    for number in numbers:
        total += number
    return total
""",
    "F([1, 2, 3]) == 6",
    "F([]) == 0",
)
_f(
    "returns the average of a list of numbers",
    "the average of a list of numbers",
    """
def average(numbers):
    return sum(numbers) / len(numbers)
""",
    "F([1, 2, 3]) == 2",
    "F([4]) == 4",
)
_f(
    "returns the median of a list of numbers",
    "the median of a list of numbers",
    """
def find_median(numbers):
    values = sorted(numbers)
    middle = len(values) // 2
    if len(values) % 2:
        return values[middle]
    return (values[middle - 1] + values[middle]) / 2
""",
    "F([3, 1, 2]) == 2",
    "F([1, 2, 3, 4]) == 2.5",
)
_f(
    "returns the mode of a list",
    "the mode of a list",
    """
def find_mode(values):
    return max(set(values), key=values.count)
""",
    "F([1, 2, 2, 3]) == 2",
    "F(['a']) == 'a'",
)
_f(
    "returns the smallest number without using min",
    "the minimum of a list without the built-in function",
    """
def manual_min(numbers):
    smallest = numbers[0]
    for number in numbers:
        if number < smallest:
            smallest = number
    return smallest
""",
    "F([3, 1, 2]) == 1",
    "F([-1, 5]) == -1",
)
_f(
    "returns the largest number without using max",
    "the maximum of a list without the built-in function",
    """
def manual_max(numbers):
    largest = numbers[0]
    for number in numbers:
        if number > largest:
            largest = number
    return largest
""",
    "F([3, 1, 2]) == 3",
    "F([-1, -5]) == -1",
)
_f(
    "returns the largest number in a list",
    "the largest number in a list",
    """
def largest_number(numbers):
    return max(numbers)
""",
    "F([3, 9, 2]) == 9",
    "F([1]) == 1",
)
_f(
    "returns the smallest number in a list",
    "the smallest number in a list",
    """
def smallest_number(numbers):
    return min(numbers)
""",
    "F([3, 9, 2]) == 2",
    "F([1]) == 1",
)
_f(
    "returns the range between the largest and smallest number",
    "the difference between maximum and minimum",
    """
def value_range(numbers):
    return max(numbers) - min(numbers)
""",
    "F([3, 9, 2]) == 7",
    "F([1]) == 0",
)
_f(
    "returns the variance of a list of numbers",
    "the variance of a list of numbers",
    """
def variance(numbers):
    mean = sum(numbers) / len(numbers)
    return sum((x - mean) ** 2 for x in numbers) / len(numbers)
""",
    "F([1, 3]) == 1",
    "F([2, 2]) == 0",
)
_f(
    "returns the standard deviation of a list of numbers",
    "the standard deviation of a list of numbers",
    """
def standard_deviation(numbers):
    mean = sum(numbers) / len(numbers)
    return (sum((x - mean) ** 2 for x in numbers) / len(numbers)) ** 0.5
""",
    "F([1, 3]) == 1",
    "F([2, 2]) == 0",
)
_f(
    "sorts a list in descending order",
    "sorting a list in descending order",
    """
def sort_descending(values):
    return sorted(values, reverse=True)
""",
    "F([1, 3, 2]) == [3, 2, 1]",
    "F([]) == []",
)
_f(
    "sorts words by their length",
    "sorting words by length",
    """
def sort_by_length(words):
    return sorted(words, key=len)
""",
    "F(['ccc', 'a', 'bb']) == ['a', 'bb', 'ccc']",
    "F([]) == []",
)
_f(
    "sorts a list with bubble sort",
    "the bubble sort algorithm",
    """
def bubble_sort(values):
    values = list(values)
    for i in range(len(values)):
        for j in range(len(values) - 1 - i):
            if values[j] > values[j + 1]:
                values[j], values[j + 1] = values[j + 1], values[j]
    return values
""",
    "F([3, 1, 2]) == [1, 2, 3]",
    "F([]) == []",
)
_f(
    "sorts a list with quicksort",
    "the quicksort algorithm",
    """
def quicksort(values):
    if len(values) <= 1:
        return values
    pivot = values[0]
    smaller = [x for x in values[1:] if x < pivot]
    larger = [x for x in values[1:] if x >= pivot]
    return quicksort(smaller) + [pivot] + quicksort(larger)
""",
    "F([3, 1, 2, 3]) == [1, 2, 3, 3]",
    "F([]) == []",
)
_f(
    "finds the index of a value with binary search",
    "binary search in a sorted list",
    """
def binary_search(values, target):
    low, high = 0, len(values) - 1
    while low <= high:
        middle = (low + high) // 2
        if values[middle] == target:
            return middle
        low, high = (middle + 1, high) if values[middle] < target else (low, middle - 1)
    return -1
""",
    "F([1, 3, 5, 7], 5) == 2",
    "F([1, 3], 4) == -1",
)
_f(
    "removes duplicates from a list and keeps the order",
    "removing duplicates from a list",
    """
def remove_duplicates(values):
    return list(dict.fromkeys(values))
""",
    "F([1, 2, 1, 3]) == [1, 2, 3]",
    "F([]) == []",
)
_f(
    "flattens a list of lists",
    "flattening a nested list",
    """
def flatten(lists):
    return [item for inner in lists for item in inner]
""",
    "F([[1, 2], [3]]) == [1, 2, 3]",
    "F([]) == []",
)
_f(
    "splits a list into chunks of a given size",
    "splitting a list into chunks",
    """
def chunk_list(values, size):
    return [values[i:i + size] for i in range(0, len(values), size)]
""",
    "F([1, 2, 3], 2) == [[1, 2], [3]]",
    "F([], 2) == []",
)
_f(
    "merges two dictionaries",
    "merging two dictionaries",
    """
def merge_dicts(first, second):
    return {**first, **second}
""",
    "F({'a': 1}, {'b': 2}) == {'a': 1, 'b': 2}",
    "F({'a': 1}, {'a': 2}) == {'a': 2}",
)
_f(
    "swaps the keys and values of a dictionary",
    "inverting a dictionary",
    """
def invert_dict(data):
    return {value: key for key, value in data.items()}
""",
    "F({'a': 1}) == {1: 'a'}",
    "F({}) == {}",
)
_f(
    "counts how often each letter occurs in a text",
    "counting the letters of a text",
    """
def count_letters(text):
    counts = {}
    for letter in text:
        counts[letter] = counts.get(letter, 0) + 1
    return counts
""",
    "F('aab') == {'a': 2, 'b': 1}",
    "F('') == {}",
)
_f(
    "counts how often each word occurs in a text",
    "word frequencies of a text",
    """
from collections import Counter

def word_frequencies(text):
    return dict(Counter(text.lower().split()))
""",
    "F('a b A') == {'a': 2, 'b': 1}",
    "F('') == {}",
)
_f(
    "checks if two words are anagrams",
    "an anagram check of two words",
    """
def is_anagram(first, second):
    return sorted(first.lower()) == sorted(second.lower())
""",
    "F('listen', 'Silent')",
    "not F('cat', 'dog')",
)
_f(
    "encrypts a lower-case text with a Caesar cipher",
    "the Caesar cipher",
    """
def caesar_cipher(text, shift):
    result = ""
    for letter in text:
        if "a" <= letter <= "z":
            letter = chr((ord(letter) - 97 + shift) % 26 + 97)
        result += letter
    return result
""",
    "F('abc', 1) == 'bcd'",
    "F('x z', 3) == 'a c'",
)
_f(
    "converts a number to a binary string",
    "the conversion of a number to binary",
    """
def to_binary(number):
    return bin(number)[2:]
""",
    "F(5) == '101'",
    "F(0) == '0'",
)
_f(
    "converts a binary string to a number",
    "the conversion of a binary string to a number",
    """
def from_binary(text):
    return int(text, 2)
""",
    "F('101') == 5",
    "F('0') == 0",
)
_f(
    "converts a number to a hexadecimal string",
    "the conversion of a number to hexadecimal",
    """
def to_hex(number):
    return hex(number)[2:]
""",
    "F(255) == 'ff'",
    "F(16) == '10'",
)
_f(
    "returns the sum of the digits of a number",
    "the sum of the digits of a number",
    """
def digit_sum(number):
    return sum(int(digit) for digit in str(abs(number)))
""",
    "F(123) == 6",
    "F(-45) == 9",
)
_f(
    "checks if a year is a leap year",
    "a leap year check",
    """
def is_leap_year(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
""",
    "F(2024)",
    "not F(1900)",
    "F(2000)",
)
_f(
    "returns Fizz, Buzz, FizzBuzz or the number as a string",
    "FizzBuzz for one number",
    """
def fizzbuzz(n):
    if n % 15 == 0:
        return "FizzBuzz"
    if n % 3 == 0:
        return "Fizz"
    if n % 5 == 0:
        return "Buzz"
    return str(n)
""",
    "F(15) == 'FizzBuzz'",
    "F(9) == 'Fizz'",
    "F(7) == '7'",
)
_f(
    "limits a value to a range between low and high",
    "clamping a value to a range",
    """
def clamp(value, low, high):
    return max(low, min(value, high))
""",
    "F(5, 0, 3) == 3",
    "F(-1, 0, 3) == 0",
)
_f(
    "scales the values of a list so that they add up to one",
    "values that are scaled to a sum of one",
    """
def normalise(values):
    total = sum(values)
    return [value / total for value in values]
""",
    "F([1, 3]) == [0.25, 0.75]",
    "F([2]) == [1]",
)
_f(
    "returns the dot product of two vectors",
    "the dot product of two vectors",
    """
def dot_product(a, b):
    return sum(x * y for x, y in zip(a, b))
""",
    "F([1, 2], [3, 4]) == 11",
    "F([], []) == 0",
)
_f(
    "transposes a matrix",
    "the transpose of a matrix",
    """
def transpose(matrix):
    return [list(row) for row in zip(*matrix)]
""",
    "F([[1, 2], [3, 4]]) == [[1, 3], [2, 4]]",
    "F([[1, 2]]) == [[1], [2]]",
)
_f(
    "multiplies two matrices",
    "the product of two matrices",
    """
def matrix_multiply(a, b):
    return [[sum(x * y for x, y in zip(row, column)) for column in zip(*b)] for row in a]
""",
    "F([[1, 2]], [[3], [4]]) == [[11]]",
    "F([[1, 0], [0, 1]], [[5, 6], [7, 8]]) == [[5, 6], [7, 8]]",
)
_f(
    "returns the distance between two points",
    "the distance between two points",
    """
import math

def distance(x1, y1, x2, y2):
    return math.sqrt((x2 - x1) ** 2 + (y2 - y1) ** 2)
""",
    "F(0, 0, 3, 4) == 5",
    "F(1, 1, 1, 1) == 0",
)
_f(
    "returns the Manhattan distance of two vectors",
    "the Manhattan distance of two vectors",
    """
def manhattan_distance(a, b):
    return sum(abs(x - y) for x, y in zip(a, b))
""",
    "F([0, 0], [3, 4]) == 7",
    "F([1], [1]) == 0",
)
_f(
    "computes the body mass index",
    "the body mass index from weight and height",
    """
def bmi(weight, height):
    return weight / height ** 2
""",
    "F(80, 2) == 20",
    "abs(F(70, 1.75) - 22.857) < 1e-3",
)
_f(
    "computes compound interest",
    "the final amount with compound interest",
    """
def compound_interest(amount, rate, years):
    return amount * (1 + rate) ** years
""",
    "abs(F(100, 0.1, 2) - 121) < 1e-9",
    "F(100, 0, 5) == 100",
)
_f(
    "computes simple interest",
    "simple interest on an amount",
    """
def simple_interest(amount, rate, years):
    return amount * rate * years
""",
    "F(100, 0.5, 2) == 100",
    "F(100, 0, 5) == 0",
)
_f(
    "returns a price after a discount in percent",
    "the price after a discount",
    """
def discount(price, percent):
    return price * (1 - percent / 100)
""",
    "F(100, 25) == 75",
    "F(50, 0) == 50",
)
_f(
    "converts a number to a Roman numeral",
    "the conversion of a number to Roman numerals",
    """
def to_roman(n):
    values = [1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1]
    result = ""
    for value, sign in zip(values, "M CM D CD C XC L XL X IX V IV I".split()):
        result += sign * (n // value)
        n %= value
    return result
""",
    "F(2024) == 'MMXXIV'",
    "F(9) == 'IX'",
)
_f(
    "converts a text to title case",
    "title case of a text",
    """
def title_case(text):
    return text.title()
""",
    "F('hello world') == 'Hello World'",
    "F('') == ''",
)
_f(
    "removes all punctuation from a text",
    "removing punctuation from a text",
    """
import string

def remove_punctuation(text):
    return "".join(c for c in text if c not in string.punctuation)
""",
    "F('Hi, you!') == 'Hi you'",
    "F('abc') == 'abc'",
)
_f(
    "counts the lines of a text",
    "counting the lines of a text",
    """
def count_lines(text):
    return len(text.splitlines())
""",
    "F('a\\nb') == 2",
    "F('') == 0",
)
_f(
    "returns the longest word of a text",
    "the longest word of a text",
    """
def longest_word(text):
    return max(text.split(), key=len)
""",
    "F('a long list') == 'long'",
    "F('x') == 'x'",
)
_f(
    "returns the first and the last item of a list",
    "the first and last item of a list",
    """
def first_and_last(values):
    return values[0], values[-1]
""",
    "F([1, 2, 3]) == (1, 3)",
    "F([5]) == (5, 5)",
)
_f(
    "checks if a list is sorted",
    "a check that a list is sorted",
    """
def is_sorted(values):
    return all(a <= b for a, b in zip(values, values[1:]))
""",
    "F([1, 2, 2])",
    "not F([2, 1])",
)
_f(
    "checks if a number is even",
    "an even number check",
    """
def is_even(number):
    return number % 2 == 0
""",
    "F(4)",
    "not F(3)",
)
_f(
    "checks if a number is odd",
    "an odd number check",
    """
def is_odd(number):
    return number % 2 == 1
""",
    "F(3)",
    "not F(4)",
)
_f(
    "returns the running total of a list",
    "the running total of a list",
    """
def running_total(numbers):
    totals, total = [], 0
    for number in numbers:
        total += number
        totals.append(total)
    return totals
""",
    "F([1, 2, 3]) == [1, 3, 6]",
    "F([]) == []",
)
_f(
    "returns the moving average of a list",
    "the moving average of a list",
    """
def moving_average(numbers, size):
    return [sum(numbers[i:i + size]) / size for i in range(len(numbers) - size + 1)]
""",
    "F([1, 2, 3, 4], 2) == [1.5, 2.5, 3.5]",
    "F([1], 2) == []",
)
_f(
    "keeps only the even numbers of a list",
    "filtering the even numbers of a list",
    """
def filter_even(numbers):
    return [n for n in numbers if n % 2 == 0]
""",
    "F([1, 2, 3, 4]) == [2, 4]",
    "F([]) == []",
)
_f(
    "keeps only the odd numbers of a list",
    "filtering the odd numbers of a list",
    """
def filter_odd(numbers):
    return [n for n in numbers if n % 2 == 1]
""",
    "F([1, 2, 3, 4]) == [1, 3]",
    "F([]) == []",
)
_f(
    "returns the squares of a list of numbers",
    "the squares of a list of numbers",
    """
def squares(numbers):
    return [n ** 2 for n in numbers]
""",
    "F([1, 2, 3]) == [1, 4, 9]",
    "F([]) == []",
)
_f(
    "returns the product of a list of numbers",
    "the product of a list of numbers",
    """
import math

def product(numbers):
    return math.prod(numbers)
""",
    "F([2, 3, 4]) == 24",
    "F([]) == 1",
)
_f(
    "returns the cumulative product of a list",
    "the cumulative product of a list",
    """
def cumulative_product(numbers):
    result, product = [], 1
    for number in numbers:
        product *= number
        result.append(product)
    return result
""",
    "F([1, 2, 3]) == [1, 2, 6]",
    "F([]) == []",
)
_f(
    "makes a dictionary from a list of keys and a list of values",
    "a dictionary from two lists",
    """
def zip_to_dict(keys, values):
    return dict(zip(keys, values))
""",
    "F(['a', 'b'], [1, 2]) == {'a': 1, 'b': 2}",
    "F([], []) == {}",
)
_f(
    "groups words by their first letter",
    "grouping words by first letter",
    """
def group_by_first_letter(words):
    groups = {}
    for word in words:
        groups.setdefault(word[0], []).append(word)
    return groups
""",
    "F(['ab', 'ac', 'b']) == {'a': ['ab', 'ac'], 'b': ['b']}",
    "F([]) == {}",
)
_f(
    "returns the most common item of a list",
    "the most common item of a list",
    """
from collections import Counter

def most_common_item(values):
    return Counter(values).most_common(1)[0][0]
""",
    "F([1, 2, 2]) == 2",
    "F(['x']) == 'x'",
)
_f(
    "returns the second largest number of a list",
    "the second largest number of a list",
    """
def second_largest(numbers):
    return sorted(set(numbers))[-2]
""",
    "F([1, 3, 2, 3]) == 2",
    "F([5, 4]) == 4",
)
_f(
    "rotates a list to the left by k places",
    "rotating a list to the left",
    """
def rotate_list(values, k):
    k %= len(values)
    return values[k:] + values[:k]
""",
    "F([1, 2, 3], 1) == [2, 3, 1]",
    "F([1, 2], 2) == [1, 2]",
)
_f(
    "returns the common items of two lists",
    "the intersection of two lists",
    """
def intersection(a, b):
    return [x for x in a if x in b]
""",
    "F([1, 2, 3], [2, 3, 4]) == [2, 3]",
    "F([1], [2]) == []",
)
_f(
    "returns the union of two lists as a sorted list",
    "the union of two lists",
    """
def union(a, b):
    return sorted(set(a) | set(b))
""",
    "F([1, 2], [2, 3]) == [1, 2, 3]",
    "F([], []) == []",
)
_f(
    "returns the items of the first list that are not in the second",
    "the difference of two lists",
    """
def list_difference(a, b):
    return [x for x in a if x not in b]
""",
    "F([1, 2, 3], [2]) == [1, 3]",
    "F([], [1]) == []",
)
_f(
    "counts the positions where two strings differ",
    "the Hamming distance of two strings",
    """
def hamming_distance(a, b):
    return sum(x != y for x, y in zip(a, b))
""",
    "F('abc', 'abd') == 1",
    "F('a', 'a') == 0",
)
_f(
    "returns the edit distance of two strings",
    "the Levenshtein distance of two strings",
    """
def levenshtein(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        new = [i]
        for j, y in enumerate(b, 1):
            new.append(min(row[j] + 1, new[-1] + 1, row[j - 1] + (x != y)))
        row = new
    return row[-1]
""",
    "F('kitten', 'sitting') == 3",
    "F('', 'ab') == 2",
)
_f(
    "returns the number of days between two ISO dates",
    "the days between two dates",
    """
from datetime import date

def days_between(first, second):
    return abs((date.fromisoformat(second) - date.fromisoformat(first)).days)
""",
    "F('2024-01-01', '2024-01-31') == 30",
    "F('2024-01-01', '2024-01-01') == 0",
)
_f(
    "converts seconds to hours, minutes and seconds",
    "the conversion of seconds to h:m:s",
    """
def seconds_to_hms(seconds):
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return hours, minutes, seconds
""",
    "F(3661) == (1, 1, 1)",
    "F(59) == (0, 0, 59)",
)
_f(
    "converts hours and minutes to minutes",
    "the conversion of hours and minutes to minutes",
    """
def to_minutes(hours, minutes):
    return hours * 60 + minutes
""",
    "F(1, 30) == 90",
    "F(0, 5) == 5",
)
_f(
    "converts a JSON text to a Python object",
    "parsing a JSON text",
    """
import json

def parse_json(text):
    return json.loads(text)
""",
    "F('[1, 2]') == [1, 2]",
    "F('{}') == {}",
)
_f(
    "converts a Python object to a JSON text",
    "turning an object into JSON",
    """
import json

def to_json(data):
    return json.dumps(data)
""",
    "F([1, 2]) == '[1, 2]'",
    "F({'a': 1}) == '{\"a\": 1}'",
)
_f(
    "loads a JSON file",
    "loading a JSON file",
    """
import json

def load_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
""",
    "PATH.write_text('[1]') and F(p) == [1]",
    "PATH.write_text('0') and F(p) == 0",
)
_f(
    "saves data to a JSON file",
    "saving data as a JSON file",
    """
import json

def save_json(data, path):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file)
""",
    "PATH and F([1], p) is None and p.read_text() == '[1]'",
    "PATH and F(0, p) is None and p.read_text() == '0'",
)
_f(
    "reads all lines of a text file",
    "reading the lines of a file",
    """
def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()
""",
    "PATH.write_text('a\\nb') and F(p) == ['a', 'b']",
    "F(__import__('os').devnull) == []",
)
_f(
    "writes a text to a file",
    "writing a text to a file",
    """
def write_text(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
""",
    "PATH and F(p, 'hi') is None and p.read_text() == 'hi'",
    "F(__import__('os').devnull, '') is None",
)
_f(
    "returns the mean absolute error",
    "the mean absolute error of predictions",
    """
def mean_absolute_error(y_true, y_pred):
    return sum(abs(t - p) for t, p in zip(y_true, y_pred)) / len(y_true)
""",
    "F([1, 2], [2, 4]) == 1.5",
    "F([1], [1]) == 0",
)
_f(
    "returns the mean squared error",
    "the mean squared error of predictions",
    """
def mean_squared_error(y_true, y_pred):
    return sum((t - p) ** 2 for t, p in zip(y_true, y_pred)) / len(y_true)
""",
    "F([1, 2], [2, 4]) == 2.5",
    "F([1], [1]) == 0",
)
_f(
    "returns the root mean squared error",
    "the root mean squared error of predictions",
    """
def rmse(y_true, y_pred):
    mse = sum((t - p) ** 2 for t, p in zip(y_true, y_pred)) / len(y_true)
    return mse ** 0.5
""",
    "F([1, 2], [3, 4]) == 2",
    "F([1], [1]) == 0",
)
_f(
    "returns the accuracy of predictions",
    "the accuracy of predictions",
    """
def accuracy(y_true, y_pred):
    return sum(t == p for t, p in zip(y_true, y_pred)) / len(y_true)
""",
    "F([1, 0], [1, 1]) == 0.5",
    "F([1], [1]) == 1",
)
_f(
    "returns the precision of binary predictions",
    "the precision of binary predictions",
    """
def precision(y_true, y_pred):
    hits = sum(t == p == 1 for t, p in zip(y_true, y_pred))
    return hits / sum(y_pred)
""",
    "F([1, 0], [1, 1]) == 0.5",
    "F([1, 1], [1, 0]) == 1",
)
_f(
    "returns the recall of binary predictions",
    "the recall of binary predictions",
    """
def recall(y_true, y_pred):
    hits = sum(t == p == 1 for t, p in zip(y_true, y_pred))
    return hits / sum(y_true)
""",
    "F([1, 1], [1, 0]) == 0.5",
    "F([1, 0], [1, 1]) == 1",
)
_f(
    "returns the F1 score from precision and recall",
    "the F1 score",
    """
def f1_score(precision, recall):
    return 2 * precision * recall / (precision + recall)
""",
    "F(1, 1) == 1",
    "F(0.5, 0.5) == 0.5",
)
_f(
    "returns the R squared score of predictions",
    "the R squared score",
    """
def r_squared(y_true, y_pred):
    mean = sum(y_true) / len(y_true)
    residual = sum((t - p) ** 2 for t, p in zip(y_true, y_pred))
    return 1 - residual / sum((t - mean) ** 2 for t in y_true)
""",
    "F([1, 2, 3], [1, 2, 3]) == 1",
    "F([1, 3], [2, 2]) == 0",
)
_f(
    "returns the sigmoid of a number",
    "the sigmoid function",
    """
import math

def sigmoid(x):
    return 1 / (1 + math.exp(-x))
""",
    "F(0) == 0.5",
    "F(10) > 0.99",
)
_f(
    "returns the ReLU of a number",
    "the ReLU activation",
    """
def relu(x):
    return max(0, x)
""",
    "F(3) == 3",
    "F(-2) == 0",
)
_f(
    "returns the softmax of a list of numbers",
    "the softmax of a list",
    """
import math

def softmax(values):
    exps = [math.exp(v - max(values)) for v in values]
    return [e / sum(exps) for e in exps]
""",
    "F([1, 1]) == [0.5, 0.5]",
    "abs(sum(F([1, 2, 3])) - 1) < 1e-9",
)
_f(
    "one-hot encodes a label",
    "one-hot encoding of a label",
    """
def one_hot(label, classes):
    return [1 if label == c else 0 for c in classes]
""",
    "F('b', ['a', 'b', 'c']) == [0, 1, 0]",
    "F(1, [1, 2]) == [1, 0]",
)
_f(
    "scales a list of numbers to the range from 0 to 1",
    "min-max scaling of a list",
    """
def min_max_scale(values):
    low, high = min(values), max(values)
    return [(v - low) / (high - low) for v in values]
""",
    "F([1, 2, 3]) == [0, 0.5, 1]",
    "F([0, 10]) == [0, 1]",
)
_f(
    "returns the z-scores of a list of numbers",
    "the z-scores of a list",
    """
def z_scores(values):
    mean = sum(values) / len(values)
    std = (sum((v - mean) ** 2 for v in values) / len(values)) ** 0.5
    return [(v - mean) / std for v in values]
""",
    "F([1, 3]) == [-1, 1]",
    "F([0, 4]) == [-1, 1]",
)
_f(
    "returns the bigrams of a list of words",
    "the bigrams of a list of words",
    """
def bigrams(words):
    return list(zip(words, words[1:]))
""",
    "F(['a', 'b', 'c']) == [('a', 'b'), ('b', 'c')]",
    "F(['a']) == []",
)
_f(
    "returns the n-grams of a list of words",
    "the n-grams of a list of words",
    """
def ngrams(words, n):
    return [tuple(words[i:i + n]) for i in range(len(words) - n + 1)]
""",
    "F(['a', 'b', 'c'], 2) == [('a', 'b'), ('b', 'c')]",
    "F(['a'], 2) == []",
)
_f(
    "splits a text into lower-case word tokens",
    "a simple word tokenizer",
    """
import re

def tokenise(text):
    return re.findall(r"\\w+", text.lower())
""",
    "F('Hi, you!') == ['hi', 'you']",
    "F('') == []",
)
_f(
    "removes stop words from a list of words",
    "stop word removal",
    """
def remove_stopwords(words, stopwords):
    return [word for word in words if word.lower() not in stopwords]
""",
    "F(['The', 'cat'], {'the'}) == ['cat']",
    "F([], {'a'}) == []",
)
_f(
    "returns the Jaccard similarity of two lists",
    "the Jaccard similarity",
    """
def jaccard(a, b):
    a, b = set(a), set(b)
    return len(a & b) / len(a | b)
""",
    "F([1, 2], [1, 2]) == 1",
    "F([1], [2]) == 0",
)
_f(
    "returns the cosine similarity of two vectors",
    "the cosine similarity of two vectors",
    """
import math

def cosine_similarity(a, b):
    dot = sum(x * y for x, y in zip(a, b))
    return dot / (math.hypot(*a) * math.hypot(*b))
""",
    "F([1, 0], [2, 0]) == 1",
    "F([1, 0], [0, 1]) == 0",
)
_f(
    "returns the length of a vector",
    "the Euclidean norm of a vector",
    """
import math

def vector_norm(vector):
    return math.sqrt(sum(x ** 2 for x in vector))
""",
    "F([3, 4]) == 5",
    "F([0]) == 0",
)
_f(
    "adds two vectors",
    "the sum of two vectors",
    """
def add_vectors(a, b):
    return [x + y for x, y in zip(a, b)]
""",
    "F([1, 2], [3, 4]) == [4, 6]",
    "F([], []) == []",
)
_f(
    "multiplies a vector by a number",
    "scaling a vector by a number",
    """
def scale_vector(vector, factor):
    return [x * factor for x in vector]
""",
    "F([1, 2], 3) == [3, 6]",
    "F([], 2) == []",
)
_f(
    "returns the identity matrix of size n",
    "the identity matrix",
    """
def identity_matrix(n):
    return [[1 if i == j else 0 for j in range(n)] for i in range(n)]
""",
    "F(2) == [[1, 0], [0, 1]]",
    "F(1) == [[1]]",
)
_f(
    "adds two matrices",
    "the sum of two matrices",
    """
def matrix_add(a, b):
    return [[x + y for x, y in zip(r, s)] for r, s in zip(a, b)]
""",
    "F([[1, 2]], [[3, 4]]) == [[4, 6]]",
    "F([[0]], [[1]]) == [[1]]",
)
_f(
    "returns the determinant of a 2 by 2 matrix",
    "the determinant of a 2 by 2 matrix",
    """
def determinant(matrix):
    (a, b), (c, d) = matrix
    return a * d - b * c
""",
    "F([[1, 2], [3, 4]]) == -2",
    "F([[1, 0], [0, 1]]) == 1",
)
_f(
    "returns the correlation of two lists of numbers",
    "the Pearson correlation of two lists",
    """
def correlation(x, y):
    mx, my = sum(x) / len(x), sum(y) / len(y)
    cov = sum((a - mx) * (b - my) for a, b in zip(x, y))
    sx = sum((a - mx) ** 2 for a in x) ** 0.5
    sy = sum((b - my) ** 2 for b in y) ** 0.5
    return cov / (sx * sy)
""",
    "abs(F([1, 2, 3], [2, 4, 6]) - 1) < 1e-9",
    "abs(F([1, 2], [2, 1]) + 1) < 1e-9",
)
_f(
    "returns the slope between two points",
    "the slope of a line through two points",
    """
def slope(x1, y1, x2, y2):
    return (y2 - y1) / (x2 - x1)
""",
    "F(0, 0, 1, 2) == 2",
    "F(0, 1, 2, 1) == 0",
)
_f(
    "returns the midpoint of two points",
    "the midpoint of two points",
    """
def midpoint(x1, y1, x2, y2):
    return (x1 + x2) / 2, (y1 + y2) / 2
""",
    "F(0, 0, 2, 4) == (1, 2)",
    "F(1, 1, 1, 1) == (1, 1)",
)
_f(
    "solves a quadratic equation with real roots",
    "the real roots of a quadratic equation",
    """
def quadratic_roots(a, b, c):
    root = (b ** 2 - 4 * a * c) ** 0.5
    return (-b + root) / (2 * a), (-b - root) / (2 * a)
""",
    "F(1, -3, 2) == (2, 1)",
    "F(1, 0, -4) == (2, -2)",
)
_f(
    "raises a number to a power",
    "the power of a number",
    """
def power(base, exponent):
    return base ** exponent
""",
    "F(2, 3) == 8",
    "F(5, 0) == 1",
)
_f(
    "adds two numbers",
    "the sum of two numbers",
    """
def add(a, b):
    return a + b
""",
    "F(2, 3) == 5",
    "F(-1, 1) == 0",
)
_f(
    "subtracts the second number from the first",
    "the difference of two numbers",
    """
def subtract(a, b):
    return a - b
""",
    "F(5, 3) == 2",
    "F(1, 1) == 0",
)
_f(
    "multiplies two numbers",
    "the product of two numbers",
    """
def multiply(a, b):
    return a * b
""",
    "F(2, 3) == 6",
    "F(0, 9) == 0",
)
_f(
    "divides two numbers and returns None when the divisor is zero",
    "safe division of two numbers",
    """
def safe_divide(a, b):
    if b == 0:
        return None
    return a / b
""",
    "F(6, 3) == 2",
    "F(1, 0) is None",
)
_f(
    "returns the absolute value of a number",
    "the absolute value of a number",
    """
def absolute(number):
    return -number if number < 0 else number
""",
    "F(-3) == 3",
    "F(2) == 2",
)
_f(
    "returns the square root of a number",
    "the square root of a number",
    """
import math

def square_root(number):
    return math.sqrt(number)
""",
    "F(9) == 3",
    "F(0) == 0",
)
_f(
    "returns the cube of a number",
    "the cube of a number",
    """
def cube(number):
    return number ** 3
""",
    "F(2) == 8",
    "F(-1) == -1",
)
_f(
    "doubles a number",
    "twice a number",
    """
def double(number):
    return number * 2
""",
    "F(4) == 8",
    "F(0) == 0",
)
_f(
    "tells if a number is positive, negative or zero",
    "the sign of a number as a word",
    """
def sign(number):
    if number > 0:
        return "positive"
    if number < 0:
        return "negative"
    return "zero"
""",
    "F(3) == 'positive'",
    "F(-3) == 'negative'",
    "F(0) == 'zero'",
)
_f(
    "returns the larger of two numbers",
    "the maximum of two numbers",
    """
def larger(a, b):
    return a if a > b else b
""",
    "F(2, 3) == 3",
    "F(5, 1) == 5",
)
_f(
    "returns the largest of three numbers",
    "the maximum of three numbers",
    """
def max_of_three(a, b, c):
    return max(a, b, c)
""",
    "F(1, 3, 2) == 3",
    "F(5, 5, 5) == 5",
)
_f(
    "rounds a number to two decimals",
    "rounding to two decimals",
    """
def round_two(number):
    return round(number, 2)
""",
    "F(3.14159) == 3.14",
    "F(2) == 2",
)
_f(
    "returns how many percent a part is of a whole",
    "the percentage of a part in a whole",
    """
def percentage(part, whole):
    return part / whole * 100
""",
    "F(1, 4) == 25",
    "F(5, 5) == 100",
)
_f(
    "returns the change between two values in percent",
    "the percentage change between two values",
    """
def percent_change(old, new):
    return (new - old) / old * 100
""",
    "F(100, 150) == 50",
    "F(100, 50) == -50",
)
_f(
    "returns a price with tax",
    "the price with tax",
    """
def price_with_tax(price, rate):
    return price * (1 + rate)
""",
    "F(100, 0.5) == 150",
    "F(10, 0) == 10",
)
_f(
    "returns the speed from distance and time",
    "the speed from distance and time",
    """
def speed(distance, time):
    return distance / time
""",
    "F(100, 2) == 50",
    "F(0, 1) == 0",
)
_f(
    "checks if a number is a perfect square",
    "a perfect square check",
    """
import math

def is_perfect_square(n):
    return n >= 0 and math.isqrt(n) ** 2 == n
""",
    "F(16)",
    "not F(15)",
)
_f(
    "checks if a number is a perfect number",
    "a perfect number check",
    """
def is_perfect_number(n):
    return n > 1 and sum(d for d in range(1, n) if n % d == 0) == n
""",
    "F(6)",
    "F(28)",
    "not F(8)",
)
_f(
    "checks if a number is an Armstrong number",
    "an Armstrong number check",
    """
def is_armstrong(n):
    digits = str(n)
    return sum(int(d) ** len(digits) for d in digits) == n
""",
    "F(153)",
    "not F(154)",
)
_f(
    "checks if a number is a power of two",
    "a power of two check",
    """
def is_power_of_two(n):
    return n > 0 and n & (n - 1) == 0
""",
    "F(8)",
    "not F(6)",
    "not F(0)",
)
_f(
    "returns the Collatz sequence of a number",
    "the Collatz sequence",
    """
def collatz(n):
    sequence = [n]
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        sequence.append(n)
    return sequence
""",
    "F(3) == [3, 10, 5, 16, 8, 4, 2, 1]",
    "F(1) == [1]",
)
_f(
    "returns the sum of the numbers from 1 to n",
    "the sum of the first n numbers",
    """
def sum_to_n(n):
    return n * (n + 1) // 2
""",
    "F(10) == 55",
    "F(0) == 0",
)
_f(
    "reverses the digits of a positive number",
    "reversing the digits of a number",
    """
def reverse_number(number):
    return int(str(number)[::-1])
""",
    "F(123) == 321",
    "F(7) == 7",
)
_f(
    "counts the digits of a number",
    "counting the digits of a number",
    """
def count_digits(number):
    return len(str(abs(number)))
""",
    "F(123) == 3",
    "F(-5) == 1",
)
_f(
    "returns the multiplication table of a number up to 10",
    "the multiplication table of a number",
    """
def times_table(n):
    return [n * i for i in range(1, 11)]
""",
    "F(2)[-1] == 20",
    "len(F(3)) == 10",
)
_f(
    "converts a text to upper case",
    "upper case of a text",
    """
def to_upper(text):
    return text.upper()
""",
    "F('abc') == 'ABC'",
    "F('') == ''",
)
_f(
    "converts a text to lower case",
    "lower case of a text",
    """
def to_lower(text):
    return text.lower()
""",
    "F('ABC') == 'abc'",
    "F('') == ''",
)
_f(
    "capitalises the first letter of a text",
    "a text with a capital first letter",
    """
def capitalise(text):
    return text[:1].upper() + text[1:]
""",
    "F('hello') == 'Hello'",
    "F('') == ''",
)
_f(
    "reverses the order of the words in a text",
    "reversing the words of a text",
    """
def reverse_words(text):
    return " ".join(text.split()[::-1])
""",
    "F('a b c') == 'c b a'",
    "F('') == ''",
)
_f(
    "counts how often a character occurs in a text",
    "counting a character in a text",
    """
def count_char(text, char):
    return text.count(char)
""",
    "F('banana', 'a') == 3",
    "F('x', 'y') == 0",
)
_f(
    "counts the upper-case letters in a text",
    "counting upper-case letters",
    """
def count_uppercase(text):
    return sum(c.isupper() for c in text)
""",
    "F('AbC') == 2",
    "F('abc') == 0",
)
_f(
    "counts the consonants in a text",
    "counting the consonants in a text",
    """
def count_consonants(text):
    return sum(c.isalpha() and c not in "aeiou" for c in text.lower())
""",
    "F('Hello') == 3",
    "F('aei') == 0",
)
_f(
    "removes the vowels from a text",
    "removing the vowels from a text",
    """
def remove_vowels(text):
    return "".join(c for c in text if c.lower() not in "aeiou")
""",
    "F('Hello') == 'Hll'",
    "F('xyz') == 'xyz'",
)
_f(
    "removes all spaces from a text",
    "removing the spaces from a text",
    """
def remove_spaces(text):
    return text.replace(" ", "")
""",
    "F('a b c') == 'abc'",
    "F('') == ''",
)
_f(
    "removes all digits from a text",
    "removing the digits from a text",
    """
def remove_digits(text):
    return "".join(c for c in text if not c.isdigit())
""",
    "F('a1b2') == 'ab'",
    "F('12') == ''",
)
_f(
    "finds all numbers in a text",
    "extracting the numbers from a text",
    """
import re

def extract_numbers(text):
    return [int(n) for n in re.findall(r"\\d+", text)]
""",
    "F('3 cats and 12 dogs') == [3, 12]",
    "F('none') == []",
)
_f(
    "finds all email addresses in a text",
    "extracting the email addresses from a text",
    """
import re

def extract_emails(text):
    return re.findall(r"[\\w.+-]+@[\\w-]+\\.[\\w.]+", text)
""",
    "F('write to a@b.com today') == ['a@b.com']",
    "F('none') == []",
)
_f(
    "returns the initials of a name",
    "the initials of a name",
    """
def initials(name):
    return "".join(part[0].upper() for part in name.split())
""",
    "F('ada lovelace') == 'AL'",
    "F('') == ''",
)
_f(
    "shortens a text to a maximum length",
    "shortening a text",
    """
def truncate(text, length):
    return text if len(text) <= length else text[:length] + "..."
""",
    "F('hello', 2) == 'he...'",
    "F('hi', 5) == 'hi'",
)
_f(
    "repeats a text n times",
    "repeating a text n times",
    """
def repeat_text(text, n):
    return text * n
""",
    "F('ab', 2) == 'abab'",
    "F('x', 0) == ''",
)
_f(
    "returns the average word length of a text",
    "the average word length of a text",
    """
def average_word_length(text):
    words = text.split()
    return sum(len(word) for word in words) / len(words)
""",
    "F('ab abcd') == 3",
    "F('a') == 1",
)
_f(
    "converts a text to snake case",
    "the conversion of a text to snake case",
    """
def to_snake_case(text):
    return "_".join(text.lower().split())
""",
    "F('Hello World') == 'hello_world'",
    "F('a') == 'a'",
)
_f(
    "converts a snake case name to camel case",
    "the conversion from snake case to camel case",
    """
def to_camel_case(text):
    first, *rest = text.split("_")
    return first + "".join(word.title() for word in rest)
""",
    "F('my_long_name') == 'myLongName'",
    "F('a') == 'a'",
)
_f(
    "checks if a text contains every letter of the alphabet",
    "a pangram check",
    """
import string

def is_pangram(text):
    return set(string.ascii_lowercase) <= set(text.lower())
""",
    "F('The quick brown fox jumps over the lazy dog')",
    "not F('hello')",
)
_f(
    "returns the first character that occurs only once",
    "the first unique character of a text",
    """
def first_unique(text):
    for char in text:
        if text.count(char) == 1:
            return char
    return None
""",
    "F('aabc') == 'b'",
    "F('aa') is None",
)
_f(
    "checks if the brackets in a text are balanced",
    "a check for balanced brackets",
    """
def is_balanced(text):
    depth = 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return False
    return depth == 0
""",
    "F('(a(b))')",
    "not F(')(')",
)
_f(
    "compresses a text with run-length encoding",
    "run-length encoding of a text",
    """
from itertools import groupby

def run_length_encode(text):
    return "".join(char + str(len(list(group))) for char, group in groupby(text))
""",
    "F('aaab') == 'a3b1'",
    "F('') == ''",
)
_f(
    "joins a list of words with commas",
    "joining words with commas",
    """
def join_words(words):
    return ", ".join(words)
""",
    "F(['a', 'b']) == 'a, b'",
    "F([]) == ''",
)
_f(
    "reverses a list",
    "reversing a list",
    """
def reverse_list(values):
    return values[::-1]
""",
    "F([1, 2, 3]) == [3, 2, 1]",
    "F([]) == []",
)
_f(
    "counts how often a value occurs in a list",
    "counting a value in a list",
    """
def count_value(values, target):
    return sum(1 for value in values if value == target)
""",
    "F([1, 2, 1], 1) == 2",
    "F([], 1) == 0",
)
_f(
    "returns the index of the largest number",
    "the index of the largest number",
    """
def argmax(numbers):
    return numbers.index(max(numbers))
""",
    "F([1, 5, 2]) == 1",
    "F([7]) == 0",
)
_f(
    "keeps only the positive numbers of a list",
    "filtering the positive numbers of a list",
    """
def filter_positive(numbers):
    return [n for n in numbers if n > 0]
""",
    "F([-1, 0, 2]) == [2]",
    "F([]) == []",
)
_f(
    "finds the duplicates in a list",
    "finding the duplicates in a list",
    """
def find_duplicates(values):
    return [v for v in dict.fromkeys(values) if values.count(v) > 1]
""",
    "F([1, 2, 1, 3, 2]) == [1, 2]",
    "F([1]) == []",
)
_f(
    "returns the key with the largest value",
    "the dictionary key with the largest value",
    """
def key_of_max(data):
    return max(data, key=data.get)
""",
    "F({'a': 1, 'b': 3}) == 'b'",
    "F({'x': 0}) == 'x'",
)
_f(
    "sorts a dictionary by its values",
    "sorting a dictionary by value",
    """
def sort_by_value(data):
    return dict(sorted(data.items(), key=lambda item: item[1]))
""",
    "list(F({'a': 2, 'b': 1})) == ['b', 'a']",
    "F({}) == {}",
)
_f(
    "returns the k largest numbers of a list",
    "the k largest numbers of a list",
    """
def top_k(numbers, k):
    return sorted(numbers, reverse=True)[:k]
""",
    "F([1, 4, 3], 2) == [4, 3]",
    "F([], 3) == []",
)
_f(
    "removes all None values from a list",
    "removing None from a list",
    """
def remove_none(values):
    return [value for value in values if value is not None]
""",
    "F([1, None, 0]) == [1, 0]",
    "F([None]) == []",
)
_f(
    "returns the letter grade for a score",
    "a letter grade from a score",
    """
def grade(score):
    if score >= 90:
        return "A"
    if score >= 80:
        return "B"
    if score >= 70:
        return "C"
    return "F"
""",
    "F(95) == 'A'",
    "F(80) == 'B'",
    "F(10) == 'F'",
)
_f(
    "returns a greeting for a name",
    "a greeting with a name",
    """
def greet(name):
    return f"Hello, {name}!"
""",
    "F('Ada') == 'Hello, Ada!'",
    "F('Bo') == 'Hello, Bo!'",
)

FUNCTIONS: tuple[Function, ...] = tuple(_made)


def problems() -> list[str]:
    """Everything that is wrong with the data in this module; empty when all is well."""
    found: list[str] = []
    names = [function.name for function in FUNCTIONS]
    found += [f"name twice: {name}" for name in sorted(set(names)) if names.count(name) > 1]
    owner: dict[str, str] = {}
    held_out = {task for function in FUNCTIONS for task in function.held_out_tasks}
    for function in FUNCTIONS:
        for task in (*function.train_tasks, *function.held_out_tasks):
            if task in owner:
                found.append(f"task twice: {task} ({owner[task]}, {function.name})")
            owner[task] = function.name
        found += [f"held out and trained: {task}" for task in function.train_tasks if task in held_out]
        if len(function.train_tasks) != 6 or len(function.held_out_tasks) != 2 or len(function.asserts) < 2:
            found.append(f"counts: {function.name}")
        if not any("{name}" in task for task in function.held_out_tasks):
            found.append(f"no held-out task with a name: {function.name}")
        lines = [line for line in function.code.splitlines() if line and not line.startswith(("import", "from"))]
        if not 2 <= len(lines) <= 9:
            found.append(f"{len(lines)} lines: {function.name}")
        for new_name in (function.name, HELD_OUT_NAMES[0].replace("{base}", function.name)):
            space: dict[str, object] = {"__name__": "checked"}
            try:
                exec(function.renamed(new_name), space)
                for line in function.check(new_name):
                    exec(line, space)
            except Exception as error:
                found.append(f"{new_name}: {type(error).__name__} {error}")
    return found


if __name__ == "__main__":
    wrong = problems()
    for problem in wrong:
        print(problem)
    print(f"{len(FUNCTIONS)} functions checked under two names each, {len(wrong)} problems")
    raise SystemExit(1 if wrong else 0)
