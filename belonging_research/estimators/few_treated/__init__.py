"""Difference-in-differences where few councils are treated from one common start, and inference fit for that.

The effect is the treated units' mean change (mean after the start less mean before it, units weighted alike) less the
untreated units' mean change; in a whole panel this is the two-way fixed-effects coefficient. Cluster-robust errors
learn each group's spread from that group. With few treated units the regression fits these units itself and takes
what is left for their spread (with one: nothing), so it "finds" effects where there are none; it is refused here.
Placebo inference learns the spread of the treated from the untreated instead, as if these had been treated.

Every p-value and interval below that is not cluster-robust counts the ranks of one reference, so p <= a exactly when
the interval at level 1 - a leaves 0 out.
"""

from belonging_research.estimators.few_treated.clusters import (
    FEWEST_TREATED,
    ClusterRobustEffect,
    cluster_robust,
    unguarded_cluster_p,
    wild_cluster_bootstrap_p,
)
from belonging_research.estimators.few_treated.panels import false_start
from belonging_research.estimators.few_treated.placebo_groups import FewTreatedEffect, conley_taber, ferman_pinto
from belonging_research.estimators.few_treated.sizes import SIZE_TABLE, size_table

__all__ = [
    "FEWEST_TREATED",
    "SIZE_TABLE",
    "ClusterRobustEffect",
    "FewTreatedEffect",
    "cluster_robust",
    "conley_taber",
    "false_start",
    "ferman_pinto",
    "size_table",
    "unguarded_cluster_p",
    "wild_cluster_bootstrap_p",
]
