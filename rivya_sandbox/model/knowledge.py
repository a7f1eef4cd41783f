"""The little that the stand-in knows: a few lists and facts, enough for the first questions of a newcomer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rivya_sandbox.model.passages import best_sentences, names_in
from rivya_sandbox.model.text_utils import stems, tokens

LISTS = {
    "river": "the Rhine, the Danube, the Elbe, the Loire, the Po",
    "river europe": "the Rhine, the Danube, the Elbe, the Loire, the Po",
    "river asia": "the Yangtze, the Ganges, the Mekong, the Indus, the Amur",
    "river africa": "the Nile, the Congo, the Niger, the Zambezi, the Orange",
    "river america": "the Amazon, the Mississippi, the Orinoco, the Yukon, the Paraná",
    "river germany": "the Rhine, the Elbe, the Danube, the Main, the Weser",
    "lake": "Lake Constance, Lake Geneva, Lake Garda, Lake Balaton, Lake Ladoga",
    "mountain": "Mont Blanc, the Matterhorn, Mount Etna, Ben Nevis, the Zugspitze",
    "ocean": "the Pacific, the Atlantic, the Indian Ocean, the Southern Ocean, the Arctic",
    "continent": "Africa, Antarctica, Asia, Australia, Europe, North America, South America",
    "country": "France, Germany, Italy, Spain, Poland",
    "country europe": "France, Germany, Italy, Spain, Poland",
    "country asia": "China, India, Japan, Vietnam, Thailand",
    "country africa": "Egypt, Kenya, Nigeria, Morocco, Ghana",
    "city": "Paris, Berlin, Rome, Madrid, Vienna",
    "city europe": "Paris, Berlin, Rome, Madrid, Vienna",
    "capital": "Paris, Berlin, Rome, Madrid, Vienna",
    "planet": "Mercury, Venus, Earth, Mars, Jupiter, Saturn, Uranus, Neptune",
    "color": "red, orange, yellow, green, blue, violet",
    "colour": "red, orange, yellow, green, blue, violet",
    "season": "spring, summer, autumn, winter",
    "animal": "cat, dog, horse, elephant, whale",
    "bird": "sparrow, robin, eagle, owl, swan",
    "fruit": "apple, pear, cherry, orange, banana",
    "vegetable": "carrot, potato, onion, tomato, cabbage",
    "tree": "oak, beech, pine, birch, maple",
    "flower": "rose, tulip, daisy, lily, sunflower",
    "language": "English, Spanish, French, German, Italian",
    "instrument": "piano, violin, guitar, flute, trumpet",
    "metal": "iron, copper, gold, silver, aluminium",
}
FACTS = """The Rhine is a river in central Europe. The Rhine is about 1,230 kilometres long and flows to the North Sea.
The Danube is a river in Europe. The Danube is about 2,850 kilometres long and flows into the Black Sea.
The Nile is a river in Africa. The Nile is about 6,650 kilometres long and flows into the Mediterranean Sea.
The Amazon is a river in South America. The Amazon is about 6,400 kilometres long.
The Eiffel Tower is a tower in Paris. The Eiffel Tower is 330 metres tall and opened in 1889.
Mount Everest is the highest mountain on Earth. Mount Everest is 8,849 metres high.
The Moon is 384,400 kilometres away from Earth. The Earth moves around the Sun in one year.
LangChain is a framework for applications with language models. LlamaIndex is a framework for agents over your data.
Rivya is a service with one API for many chat and image models."""
CAPITALS = {
    "france": "Paris",
    "germany": "Berlin",
    "italy": "Rome",
    "spain": "Madrid",
    "japan": "Tokyo",
    "england": "London",
    "the united kingdom": "London",
    "china": "Beijing",
    "india": "New Delhi",
    "canada": "Ottawa",
    "australia": "Canberra",
    "austria": "Vienna",
    "switzerland": "Bern",
    "poland": "Warsaw",
    "portugal": "Lisbon",
    "egypt": "Cairo",
    "brazil": "Brasília",
    "the united states": "Washington, D.C.",
    "the usa": "Washington, D.C.",
}
MOST = 8
COUNTS = {"a": 1, "an": 1, "one": 1, "another": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
ASKS_FOR_LIST = re.compile(
    r"(?i)^(?:please |now |can you |could you )*(?:name|list|give me|enumerate|suggest|what are|which are|"
    r"tell me(?= (?:an?|some|another|\d+|two|three|four|five)\b))(?: me)?(?: the)? (?P<count>\w+)"
)
ASKS = re.compile(
    r"(?i)^(?:please |now |and )*(?:what|who|when|where|which|how|why|tell|describe|explain|is|are|was)\b"
)
ANOTHER = re.compile(r"(?i)^(?:please |now |and )*(?:name |give me |tell me )?(?:another(?: one)?|one more)\s*[.?!]*$")


def know(question: str, earlier: Sequence[str] = ()) -> str | None:
    """Return the answer to a question about the world, if the stand-in knows it.

    Args:
        question: The question.
        earlier: The texts of the conversation so far, for `Name another one.`.
    """
    line = " ".join(question.split())
    if len(line) > 200:  # noqa: PLR2004 - a longer text is not a simple question
        return None
    return capital(line) or listed(line, earlier) or fact(line)


def capital(question: str) -> str | None:
    """Answer a question for the capital of a country."""
    match = re.search(r"(?i)\bcapital (?:city )?of ([\w ]+?)\s*[?.!]*$", question)
    found = CAPITALS.get(match[1].lower()) if match else None
    return f"The capital of {match[1]} is {found}." if match and found else None


def listed(question: str, earlier: Sequence[str]) -> str | None:
    """Answer a request for some things of a kind."""
    if ANOTHER.match(question):
        before = next((text for text in reversed(earlier) if ASKS_FOR_LIST.match(text)), "")
        return listed(before, ()) and pick(before, 1, "\n".join(earlier))
    match = ASKS_FOR_LIST.match(question)
    if match is None:
        return None
    word = match["count"].lower()
    count = COUNTS.get(word) or (int(word) if word.isdigit() else 3 if word == "some" else MOST)
    return pick(question, count, "\n".join(earlier) if word == "another" else "")


def pick(question: str, count: int, used: str) -> str | None:
    """Return so many things of the kind that a question names, without those in the used text."""
    words = [singular(word) for word in tokens(question)]
    kinds = [word for word in words if word in LISTS]
    places = [
        singular(word)
        for name in re.findall(r"\b(?:in|of|from)\s+(?:the )?([A-Z]\w+)", question)
        for word in tokens(name)
    ]
    if not kinds:
        return None
    found = LISTS.get(f"{kinds[0]} {places[0]}" if places else kinds[0])
    items = [item for item in (found or "").split(", ") if item and item.lower() not in used.lower()][:count]
    if not items:
        return None
    line = items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
    return f"{line[:1].upper()}{line[1:]}."


def singular(word: str) -> str:
    """Return the singular of a plain English noun."""
    return f"{word[:-3]}y" if word.endswith("ies") else word.removesuffix("s")


def fact(question: str) -> str | None:
    """Answer a question about something that the facts name."""
    names = names_in(question)
    if not ASKS.match(question) or not names or not names <= stems(FACTS) or len(stems(question)) > 6:  # noqa: PLR2004
        return None
    return " ".join(best_sentences(question, FACTS)) or None
