"""Suggest skills for each note: those whose words the note turns on, preferred ones first."""

from collections.abc import Mapping
from typing import Any

import memory

from holdfast.client.log import Logger


def look(log: Logger) -> float:
    """Bring the suggestions up to date and return for how many notes there are some."""
    index = memory.load(memory.CONTEXT).get("notes", {})
    skills = memory.load(memory.SKILLS)
    preferences = memory.load(memory.PREFERENCES)
    found = {
        name: suggest(entry["keywords"], skills, preferences) for name, entry in index.items()
    }
    suggestions = {name: names for name, names in found.items() if names}
    if memory.save(memory.SUGGESTIONS, suggestions):
        log.info("suggested", suggestions=suggestions)
    return len(suggestions)


def suggest(
    keywords: list[str], skills: Mapping[str, Any], preferences: Mapping[str, Any]
) -> list[str]:
    """Return the skills that share a word with a note, by preference, then by name."""
    fitting = [skill for skill, words in skills.items() if set(words) & set(keywords)]
    return sorted(fitting, key=lambda skill: (-preferences.get(skill, 0), skill))


if __name__ == "__main__":
    memory.run("skill-auto-suggester", look)
