"""Errors for people: what, where, how many, what to do; never a pupil's value.

One child per room that can fail. Anything that is not a :class:`BelongingError` is a bug.
"""

from __future__ import annotations


class BelongingError(Exception):
    """Base of every error that a user can mend. Shown without a traceback by the command line."""

    exit_code = 1


class CommandError(BelongingError):
    """An option names something that is not there: a year of the plan, a notebook, a part of a calibration."""

    exit_code = 2


class PlanError(BelongingError):
    """The plan cannot be read, or asks for something that cannot be done."""

    exit_code = 3


class SourceError(BelongingError):
    """A file cannot be read, is not known, or says something impossible."""

    exit_code = 4


class PanelError(BelongingError):
    """The figures do not hold what the plan needs: no treated unit, no donors, no base period."""

    exit_code = 5


class EstimateError(BelongingError):
    """A design that cannot give an honest number."""

    exit_code = 6


class FindingError(BelongingError):
    """A verdict was asked for with inputs that allow none (a NaN, an unknown check)."""

    exit_code = 7


class DisclosureError(BelongingError):
    """Something was about to leave that may not leave."""

    exit_code = 8


class ReportError(BelongingError):
    """A notebook, a page or an output folder failed."""

    exit_code = 9
