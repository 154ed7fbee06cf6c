"""What stands in a file's place of an object whose class is not known here.

A checkpoint holds more than weights: settings, random states, a learning rate's course.
Nothing of them is run to skip them. An object that stands for one takes whatever its
class would be given, and keeps of it the dictionaries, in which weights may lie.
"""

from typing import Any

_MOST_GIVEN = 16


class Inert:
    """A class of a stranger, or an instance of it, that does nothing.

    Attributes:
        name: The module and the name of its class, or what it is otherwise.
        states: Dictionaries that the class would have been given.
        own: Items that it would have been given as a dictionary.
    """

    __slots__ = ("name", "own", "states")

    def __init__(self, name: str):
        """Begin with nothing but a name."""
        self.name = name
        self.states: list[dict] | None = None
        self.own: dict | None = None

    def made(self, arguments: Any) -> "Inert":
        """What stands for the result of calling it."""
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
        """Where items go that are set in it."""
        if self.own is None:
            self.own = {}
        return self.own

    def contents(self) -> list[dict]:
        """The dictionaries that it keeps."""
        return [*(self.states or ()), *([self.own] if self.own else ())]
