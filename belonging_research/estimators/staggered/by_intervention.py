"""What followed where pyramids began with one intervention, and whether interventions differ by more than chance.

A description beside the registered estimate, by the same group-time machinery: pyramids whose *first* start was one
intervention are set beside pyramids that had not started anything by then. Those that start another one are compared
until they do, and left out from then on. Which pyramid began with what is nobody's draw, so nothing here is tested.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from belonging_research.errors import EstimateError
from belonging_research.estimators.staggered.allocation import allocations, refuse_too_few, stratum_of
from belonging_research.estimators.staggered.cells import (
    Cell,
    Comparison,
    cells_of,
    cluster_adoption,
    cluster_sums,
    controls,
)
from belonging_research.estimators.staggered.conversion import NEVER, Ints, Staggered
from belonging_research.estimators.staggered.history import study_of_starts
from belonging_research.estimators.staggered.randomisation import Randomisation, at_equal_history, randomisation
from belonging_research.estimators.weights import Bools, Floats
from belonging_research.panel.schools import SchoolPanel

FEWEST_PYRAMIDS = 3
_FEWEST_WAYS = 20  # below which no p-value is under .05
Began = Mapping[str, tuple[str, ...]]  # by pyramid: what it began with, in the half-term of its first start


@dataclass(frozen=True, slots=True, kw_only=True)
class InterventionEffect:
    """Overall effect where pyramids began with ``names``, in the outcome's unit; None and ``why`` where too few did.

    ``n_treated`` schools began with it, ``n_units`` schools are in the estimate, those compared until they start
    something else among them; ``n_pupils`` theirs. ``actual``: mean level of treated units since their start.
    """

    names: tuple[str, ...]
    why: str | None
    n_treated: int
    n_units: int = 0
    n_clusters: int = 0
    n_pupils: int = 0
    value: float | None = None
    actual: float = 0.0
    std_error: float = 0.0
    p_value: float = 1.0
    intervals: Mapping[str, tuple[float, float]] | None = None
    n_reference: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldApart:
    """The interaction: whether the estimates of ``n_groups`` interventions lie further apart than chance puts them.

    ``p_value``: share of ways to hand the same interventions to the same starters, the real one among them, whose
    spread is at least the real one. ``within_starts``: handed round among pyramids that started together alone, so
    that a difference between early and late starters is none between interventions.
    """

    p_value: float
    n_groups: int
    n_reference: int
    within_starts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """The study by clusters; ``label`` (C,) place in ``groups`` of what each began with, -1 for nothing."""

    panel: SchoolPanel
    study: Staggered
    adoption: Ints
    strata: Ints
    label: Ints
    groups: tuple[tuple[str, ...], ...]
    comparison: Comparison
    anticipation: int

    def cells(self, own: Bools) -> tuple[Cell, ...]:
        """Post cells of the starts of some clusters."""
        every = cells_of(self.study, anticipation=self.anticipation, universal=True, only_post=True)
        return tuple(cell for cell in every if cell.group in set(self.adoption[own].tolist()))


def effects_by_intervention(
    panel: SchoolPanel,
    began: Began,
    *,
    rng_of: Callable[..., np.random.Generator],
    levels: Sequence[float],
    comparison: Comparison = "not_yet_treated",
    anticipation: int = 0,
    history: bool = False,
    draws: int = 999,
) -> tuple[tuple[InterventionEffect, ...], ToldApart | None]:
    """An effect for each set of interventions that pyramids began with, by name, and whether these differ.

    ``began`` names what each starting pyramid of ``panel.clusters`` began with; several that begin together in the
    same half-term are one. ``rng_of`` gives a generator for names. P-values and intervals permute starts among the
    pyramids that began with the same or with nothing; other starters stay where they are, since what their pupils
    would have done without is not known. :class:`ToldApart` is None with fewer than two effects or too few ways.

    Raises :class:`EstimateError` as :func:`estimate_schools`, or for a starting pyramid that ``began`` lacks.
    """
    scene = _scene(panel, began, comparison, anticipation, history)
    found = tuple(_effect(scene, at, rng_of(*names), levels, draws) for at, names in enumerate(scene.groups))
    known = [at for at, each in enumerate(found) if each.value is not None]
    return found, _told_apart(scene, known, rng_of("told apart"), draws)


def _scene(panel: SchoolPanel, began: Began, comparison: Comparison, anticipation: int, history: bool) -> _Scene:
    study = study_of_starts(panel, weights="pupils", anticipation=anticipation, history=history)
    adoption = cluster_adoption(study)
    starters = [name for name, start in zip(study.clusters, adoption.tolist(), strict=True) if start < NEVER]
    unknown = sum(name not in began for name in starters)
    if unknown:
        raise EstimateError(
            f"{panel.outcome}: {unknown} of {len(starters)} starting pyramids have no intervention; name what each "
            "began with in the log"
        )
    groups = tuple(sorted({began[name] for name in starters}))
    place = {names: at for at, names in enumerate(groups)}
    label = [
        place[began[name]] if start < NEVER else -1
        for name, start in zip(study.clusters, adoption.tolist(), strict=True)
    ]
    return _Scene(
        panel=panel, study=study, adoption=adoption, strata=stratum_of(study, panel), label=np.array(label),
        groups=groups, comparison=comparison, anticipation=anticipation,
    )  # fmt: skip


def _effect(
    scene: _Scene, at: int, rng: np.random.Generator, levels: Sequence[float], draws: int
) -> InterventionEffect:
    own, names = scene.label == at, scene.groups[at]
    n_treated = _schools(scene, own)
    if own.sum() < FEWEST_PYRAMIDS:
        return InterventionEffect(names=names, why="began in fewer than three pyramids", n_treated=n_treated)
    try:
        judged = _judged(scene, own, rng, 1 - max(levels), draws)
        intervals = {f"{level:g}": judged.interval(level) for level in levels}
    except EstimateError:
        why = "it could not be told from chance"
        return InterventionEffect(names=names, why=why, n_treated=n_treated)
    later = scene.adoption > int(scene.adoption[own].min())
    compared = own | (scene.adoption == NEVER if scene.comparison == "never_treated" else later)
    sizes = dict(zip(scene.panel.units, scene.panel.sizes.tolist(), strict=True))
    units = np.flatnonzero(compared[scene.study.cluster])
    return InterventionEffect(
        names=names, why=None, n_treated=n_treated, n_units=_schools(scene, compared), n_clusters=int(compared.sum()),
        n_pupils=round(sum(sizes[scene.study.units[n]] for n in units)), value=judged.value,
        actual=_actual(scene, own), std_error=judged.std_error, p_value=judged.p_value(), intervals=intervals,
        n_reference=len(judged.reference.value),
    )  # fmt: skip


def _judged(scene: _Scene, own: Bools, rng: np.random.Generator, alpha: float, draws: int) -> Randomisation:
    """The effect where ``own`` (C,) began, judged by handing their starts round among them and those without any."""
    apart = (scene.label >= 0) & ~own
    movable = np.flatnonzero(~apart)
    found = allocations(scene.adoption[movable], scene.strata[movable], draws=draws, rng=rng)
    refuse_too_few(found, alpha)
    others = np.tile(scene.adoption, (len(found.others), 1))
    others[:, movable] = found.others
    return randomisation(
        scene.study, scene.adoption, others, scene.cells(own),
        comparison=scene.comparison, anticipation=scene.anticipation, apart=apart,
    )  # fmt: skip


def _schools(scene: _Scene, clusters: Bools) -> int:
    """How many schools of some clusters are in the study."""
    school = dict(zip(scene.panel.units, scene.panel.schools, strict=True))
    own = np.flatnonzero(clusters[scene.study.cluster])
    return len({school[scene.study.units[n]] for n in own})


def _actual(scene: _Scene, own: Bools) -> float:
    """Mean level of the units of some clusters since their start, while others had not started, by weight."""
    study = scene.study
    half = np.arange(study.values.shape[1])
    since = (half >= study.adoption[:, None]) & (half < study.last) & study.open[study.block]
    weight = study.weights[:, None] * (since & own[study.cluster][:, None])
    return float((study.values * weight).sum() / weight.sum())


def gains(scene: _Scene) -> tuple[Floats, Floats]:
    """What each cluster (C,) adds to the sums that an overall effect is made of: its gain and its weight.

    Whom a cluster is compared with depends on when the others start, not with what. So the effect of any set of
    clusters is the sum of their gains over that of their weights, whatever intervention each began with; at equal
    history, of outcomes from which what history predicts is taken out first, by the slopes of all.
    """
    study = at_equal_history(scene.study, comparison=scene.comparison, anticipation=scene.anticipation)
    sums = cluster_sums(study)
    gain, weight = np.zeros((2, len(scene.adoption)))
    for cell in scene.cells(scene.label >= 0):
        treated = scene.adoption == cell.group
        control = controls(
            scene.adoption, cell, comparison=scene.comparison, anticipation=scene.anticipation
        ).astype(np.float64)  # fmt: skip
        usable = sums.open[:, cell.time] & sums.open[:, cell.base]
        own = np.where(usable, sums.weights, 0.0)
        change = np.where(usable, sums.outcomes[:, :, cell.time] - sums.outcomes[:, :, cell.base], 0.0)
        n_control = control @ own
        supported = n_control > 0
        mean = (control @ change) / np.where(supported, n_control, 1.0)
        gain += treated * ((change - own * mean) * supported).sum(axis=1)
        weight += treated * (own * supported).sum(axis=1)
    return gain, weight


def _told_apart(scene: _Scene, known: Sequence[int], rng: np.random.Generator, draws: int) -> ToldApart | None:
    if len(known) < 2:
        return None
    gain, weight = gains(scene)
    own = np.flatnonzero(np.isin(scene.label, known) & (weight > 0))
    label, gain, weight = scene.label[own], gain[own], weight[own]
    starts = np.unique(np.column_stack([scene.strata, scene.adoption])[own], axis=0, return_inverse=True)[1].ravel()
    for within, strata in ((True, starts), (False, scene.strata[own])):
        found = allocations(label, strata.astype(np.int64), draws=draws, rng=rng)
        if len(found.others) + 1 >= _FEWEST_WAYS:
            spreads = _spreads(np.vstack([label[None], found.others]), gain, weight, known)
            extreme = int(np.count_nonzero(spreads >= spreads[0] * (1 - 1e-9)))
            return ToldApart(
                p_value=extreme / len(spreads), n_groups=len(known), n_reference=len(found.others),
                within_starts=within,
            )  # fmt: skip
    return None


def _spreads(labels: Ints, gain: Floats, weight: Floats, known: Sequence[int]) -> Floats:
    """Sum of squared distances of interventions' effects from their mean, by weight, under (B, c) labels."""
    overall = gain.sum() / weight.sum()
    total = np.zeros(len(labels))
    for at in known:
        own = labels == at
        under = own @ weight
        total += under * ((own @ gain) / np.where(under > 0, under, 1.0) - overall) ** 2
    return total
