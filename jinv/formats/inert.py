"""Inert objects, which stand for those of a file whose classes are not known here.

A checkpoint holds more than weights: settings, random states, a learning rate's course.
Nothing of them is run to skip them. An object that stands for one takes whatever its
class would be given, and keeps of it the dictionaries, in which weights may lie.
"""

from typing import Any

_MOST_GIVEN = 16


class Inert:
    """A class of a stranger, or an instance of it, that does nothing.

    Attributes:
        name: Module and name of its class, or what it is otherwise.
        states: Dictionaries that the class would have been given.
        own: Own items, which it would have been given as a dictionary.
    """

    __slots__ = ("name", "own", "states")

    def __init__(self, name: str):
        """Begin with a name, and nothing kept."""
        self.name = name
        self.states: list[dict] | None = None
        self.own: dict | None = None

    def made(self, arguments: Any) -> "Inert":
        """Make what stands for the result of calling the object."""
        result = Inert(self.name)
        result.take(arguments)
        return result

    def take(self, state: Any) -> None:
        """Keep the dictionaries of a state, or of arguments."""
        given = state[:_MOST_GIVEN] if type(state) is tuple else (state,)
        for part in given:
            if isinstance(part, dict):
                self.states = [*(self.states or ())[-_MOST_GIVEN:], part]

    def items_of_its_own(self) -> dict:
        """The dictionary that takes the items which are set in the object."""
        if self.own is None:
            self.own = {}
        return self.own

    def contents(self) -> list[dict]:
        """The dictionaries that the object keeps."""
        return [*(self.states or ()), *([self.own] if self.own else ())]
