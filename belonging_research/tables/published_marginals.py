"""What the made-up county is made like: published figures of Dorset, once, each with its year and where it stands.

All are the Department for Education's, under the Open Government Licence v3.0. None is of a pupil or a single school.
Where a figure is of the council as it was before April 2019, with Christchurch, its name says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Phase = Literal["primary", "secondary", "special"]

YEAR = "2022/23"  # of all figures below that name no other; the last for which bands were published
INTERACTIVE_TOOL = "DfE, Local authority interactive tool, April 2026"
DISTRIBUTIONS = "DfE, Pupil absence in schools in England: distributions, July 2025"
ATTENDANCE = "DfE, Pupil attendance in schools, 2022/23"
EXCLUSIONS = "DfE, Suspensions and permanent exclusions in England, 2016/17"

# INTERACTIVE_TOOL, per cent of possible half-days, all schools; 2025/26 is of daily registers up to July 2026 (DfE,
# Pupil attendance in schools), since the year's own was not out.
OVERALL_ABSENCE: Mapping[str, float] = {
    "2020/21": 4.57, "2021/22": 8.20, "2022/23": 7.68, "2023/24": 7.88, "2024/25": 7.49, "2025/26": 7.50,
}  # fmt: skip
OVERALL_ABSENCE_BY_PHASE: Mapping[Phase, float] = {"primary": 5.78, "secondary": 9.21, "special": 11.72}

# DISTRIBUTIONS: enrolments aged 5 to 15 whose overall absence is from each edge (per cent) to the next.
BAND_EDGES = (0, 5, 10, 15, 20, 25, 30, 50)
ENROLMENTS_BY_BAND: Mapping[Phase, tuple[int, ...]] = {
    "primary": (10_557, 5_355, 1_525, 525, 225, 116, 156, 126),
    "secondary": (10_360, 6_401, 2_546, 1_004, 534, 348, 655, 838),
    "special": (281, 202, 84, 50, 24, 20, 28, 37),
}
# DISTRIBUTIONS: enrolments with a tenth or more of half-days missed, and all of them. Eligible for free school meals,
# and any special educational need, at the census; None where not classified.
PERSISTENT_BY_FSM: Mapping[bool | None, tuple[int, int]] = {
    True: (3_425, 8_800), False: (5_252, 32_959), None: (164, 238),
}  # fmt: skip
PERSISTENT_BY_SEN: Mapping[bool | None, tuple[int, int]] = {
    True: (2_698, 8_523), False: (5_984, 33_242), None: (159, 232),
}  # fmt: skip
PERSISTENT_BY_YEAR_GROUP: Mapping[int, tuple[int, int]] = {
    1: (578, 3_457), 2: (536, 3_572), 3: (403, 3_487), 4: (493, 3_574), 5: (555, 3_806), 6: (605, 3_886),
    7: (877, 4_180), 8: (1_030, 4_173), 9: (1_196, 3_971), 10: (1_296, 4_043), 11: (1_272, 3_848),
}  # fmt: skip

# INTERACTIVE_TOOL, per 100 pupils on roll in January.
SUSPENSIONS: Mapping[str, float] = {"2020/21": 4.80, "2021/22": 6.71, "2022/23": 8.86, "2023/24": 11.62}
SUSPENSIONS_BY_PHASE: Mapping[Phase, float] = {"primary": 1.91, "secondary": 14.89, "special": 4.83}
PUPILS_SUSPENDED: Mapping[str, float] = {"2020/21": 2.39, "2021/22": 2.92, "2022/23": 3.63, "2023/24": 4.32}
PERMANENT_EXCLUSIONS: Mapping[str, float] = {"2020/21": 0.064, "2021/22": 0.050, "2022/23": 0.118, "2023/24": 0.128}

# EXCLUSIONS, with Christchurch: of all suspensions of a year, those of the tenth of schools with most of them.
CONCENTRATION_YEAR = "2016/17"
FROM_A_TENTH_OF_SCHOOLS: tuple[int, int] = (1_899, 2_767)

# ATTENDANCE: schools by phase as the Department deems it; middle schools are secondary.
SCHOOLS: Mapping[Phase, int] = {"primary": 118, "secondary": 29, "special": 6}

# In the record of an extract of which nothing is real.
MADE_UP_BY = "belonging_research simulate"
