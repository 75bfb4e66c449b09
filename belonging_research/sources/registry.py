"""Every layout this room knows: those it reads, and those it knows and leaves aside, with the reason.

Columns as they stand in the Department's files of 2006/07 to 2025/26 (Explore Education Statistics open data
standards; the Local authority interactive tool). A new source is one entry here and one reader.
"""

from __future__ import annotations

from belonging_research.sources.layouts import Layout, Names


def _own(*names: str) -> tuple[Names, ...]:
    return tuple((name,) for name in names)


_PLACE = (
    ("time_period", "year"),
    ("time_identifier",),
    ("geographic_level", "level"),
    ("region_name",),
    ("old_la_code",),
    ("new_la_code",),
    ("la_name",),
)
_PHASE = ("phase", "education_phase", "school_type", "phase_type_grouping", "school_phase")
_PLACE_MORE: tuple[Names, ...] = (("region_code",), ("country_name",), ("academic_year",))
_PLACE_KNOWN = frozenset({"country_code", "year_breakdown", "absence_terms"})
_SPLITS = frozenset(
    {
        "send_category", "send_detail_display", "characteristic", "characteristic_group", "breakdown",
        "breakdown_topic", "term", "percent_bands", "attendance_date", "time_frame", "day_number", "sex",
        "gender", "ethnicity", "fsm_eligible", "sen_status", "young_carer", "reason",
    }
)  # fmt: skip

_ABSENCE_TITLE = "Pupil absence in schools in England"
_EXCLUSIONS_TITLE = "Suspensions and permanent exclusions in England"
_DAILY_TITLE = "Pupil attendance in schools"
_LAIT_TITLE = "Local authority interactive tool"

_SESSION_REASONS = frozenset(
    f"sess_{name}{tail}"
    for name in (
        "auth_illness", "auth_appointments", "auth_religious", "auth_study", "auth_traveller", "auth_mobile",
        "auth_holiday", "auth_ext_holiday", "auth_excluded", "auth_other", "auth_totalreasons",
        "auth_interview", "auth_reg_performance", "auth_temp_reduced_timetable", "unauth_holiday",
        "unauth_late", "unauth_other", "unauth_noyet", "unauth_totalreasons", "overall_totalreasons",
        "x_covid", "y_exceptional", "q_la_arrangements", "possible_pa_10_exact", "overall_pa_10_exact",
        "authorised_pa_10_exact", "unauthorised_pa_10_exact", "overall_percent_pa_10_exact",
        "authorised_percent_pa_10_exact", "unauthorised_percent_pa_10_exact", "possible_pa_50_exact",
        "overall_pa_50_exact", "authorised_pa_50_exact", "unauthorised_pa_50_exact",
        "overall_percent_pa_50_exact", "authorised_percent_pa_50_exact", "unauthorised_percent_pa_50_exact",
    )
    for tail in ("", "_rate")
)  # fmt: skip
_SCHOOL_KEYS = frozenset(
    {
        "estab", "laestab", "urn", "school_laestab", "school_urn", "school_name", "trust_name", "academy_type",
        "academy_open_date", "all_through", "num_schools",
    }
)  # fmt: skip
_REGISTER = frozenset(
    {
        "present_sessions", "overall_attendance", "approved_educational_activity", "late_sessions",
        "total_enrolments", "attendance_perc", "unauth_hol_perc", "unauth_oth_perc",
        "unauth_not_yet_perc", "auth_study_perc", "auth_grt_perc", "auth_mob_perc", "auth_holiday_perc",
        "auth_other_perc", "auth_performance_perc", "auth_interview_perc",
        "covid_non_compulsory_perc", "snapshot_commit", "reason_present_am", "reason_present_pm",
        "reason_present", "reason_l_present_late_before_registers_closed",
        "reason_s_authorised_study_leave", "reason_t_authorised_grt_absence",
        "reason_t_authorised_mobile_child", "reason_h_authorised_holiday", "reason_c_authorised_other",
        "reason_c1_authorised_regulated_performance", "reason_j1_authorised_interview",
        "reason_d_aea_dual_registration", "reason_j_aea_interview",
        "reason_p_aea_approved_sporting_activity", "reason_v_aea_educational_visit_trip",
        "reason_w_aea_work_experience", "reason_g_unauthorised_holiday", "reason_o_other_unauthorised",
        "reason_n_no_reason_yet", "reason_x_not_attending_covid_non_compulsory",
    }
)  # fmt: skip
_ATTENDANCE: tuple[Names, ...] = (
    _PHASE,
    *_own(
        "num_schools", "enrolments", "possible_sessions", "overall_absence", "authorised_absence",
        "unauthorised_absence", "overall_absence_perc", "authorised_absence_perc", "unauthorised_absence_perc",
    ),
)  # fmt: skip
_ATTENDANCE_MORE: tuple[Names, ...] = (
    *_PLACE_MORE,
    *_own(
        "total_num_schools", "reason_i_authorised_illness", "illness_perc", "reason_e_authorised_excluded",
        "auth_excluded_perc", "reason_c2_authorised_temp_reduced_timetable", "auth_part_time_perc",
        "reason_k_aea_education_arranged_by_la", "reason_b_aea_education_off_site",
        "reason_u_unauthorised_late_after_registers_closed", "unauth_late_registers_closed_perc",
        "reason_m_authorised_medical_dental", "appointments_perc", "reason_r_authorised_religious_observance",
        "auth_religious_perc", "pa_perc",
    ),
)  # fmt: skip

USED: tuple[Layout, ...] = (
    Layout(
        name="lait_measures",
        title="Local authority interactive tool: measures",
        publication=_LAIT_TITLE,
        family="other",
        required=_own("Short Desc", "Years", "LA and Regions", "Values", "LA Number"),
        optional=_own("Region"),
        known=frozenset({"data item"}),
    ),
    Layout(
        name="lait_dictionary",
        title="Local authority interactive tool: data dictionary",
        publication=_LAIT_TITLE,
        family="lookup",
        required=_own("Measure_short", "Year_Type", "Measure", "Polarity"),
        known=frozenset(
            {
                "measure_code", "topic", "chart_title", "y_axis_name", "state_funded_flag", "table_status",
                "description", "last update", "next update", "methodology", "hyperlink(s)", "dps",
                "data owner (do) /supplier and contact details", "no_quartile",
            }
        ),
    ),
    Layout(
        name="statistical_neighbours",
        title="Children's services statistical neighbours",
        publication=_LAIT_TITLE,
        family="lookup",
        required=(("LA number", "LA num"), ("LA Name",), *_own(*(f"SN{n}" for n in range(1, 11)))),
        known=frozenset({"goind", "goreg", "snp", "la num", ""}),
        repeats=frozenset({"snp", ""}),
    ),
    Layout(
        name="la_code_list",
        title="Local authority codes",
        publication=_LAIT_TITLE,
        family="lookup",
        required=_own("LA Number", "LA Name", "Region", "Type"),
    ),
    Layout(
        name="accepted_councils",
        title="Local authorities accepted in Explore Education Statistics files",
        publication="Explore Education Statistics screener",
        family="lookup",
        required=_own("old_la_code", "new_la_code", "la_name"),
        refused=frozenset({"time_period", "geographic_level", "region_name", "time_identifier"}),
    ),
    Layout(
        name="council_validity",
        title="Local authorities, regions and years in force",
        publication="dfeR geography hierarchy",
        family="lookup",
        required=_own(
            "la_name", "new_la_code", "old_la_code", "region_name", "first_available_year_included",
            "most_recent_year_included",
        ),
        known=frozenset({"region_code"}),
    ),
    Layout(
        name="absence_by_council",
        title="Absence by council: rates and counts",
        publication=_ABSENCE_TITLE,
        family="absence",
        shared=_PLACE,
        required=(
            _PHASE,
            *_own(
                "enrolments", "sess_possible", "sess_overall", "sess_authorised", "sess_unauthorised",
                "sess_overall_percent", "sess_authorised_percent", "sess_unauthorised_percent",
            ),
        ),
        optional=(
            *_PLACE_MORE,
            ("half_terms", "year_breakdown", "absence_terms"),
            ("enrolments_pa_10_exact",),
            ("enrolments_pa_10_exact_percent",),
            ("enrolments_pa_50_exact",),
            ("enrolments_pa_50_exact_percent",),
        ),
        known=_PLACE_KNOWN | _SCHOOL_KEYS | _SESSION_REASONS,
        refused=_SPLITS,
    ),
    Layout(
        name="absence_sessions_long",
        title="Absence by council: sessions by status, type and reason",
        publication=_ABSENCE_TITLE,
        family="absence",
        shared=_PLACE,
        required=(
            _PHASE,
            *_own(
                "attendance_status", "attendance_type", "attendance_reason", "session_count", "session_percent"
            ),
        ),
        optional=(*_PLACE_MORE, ("half_terms", "year_breakdown", "absence_terms")),
        known=_PLACE_KNOWN,
        refused=_SPLITS,
    ),
    Layout(
        name="absentees_long",
        title="Absence by council: persistent and severe absentees",
        publication=_ABSENCE_TITLE,
        family="absence",
        shared=_PLACE,
        required=(_PHASE, *_own("absence_type", "enrolment_count", "enrolment_percent")),
        optional=(*_PLACE_MORE, ("half_terms", "year_breakdown", "absence_terms")),
        known=_PLACE_KNOWN,
        refused=_SPLITS,
    ),
    Layout(
        name="exclusions_by_geographic_level",
        title="Permanent and fixed-period exclusions by geographic level (names to 2016/17)",
        publication="Permanent and fixed-period exclusions in England",
        family="exclusions",
        shared=_PLACE,
        required=(
            _PHASE,
            *_own(
                "headcount", "perm_excl", "perm_excl_rate", "fixed_excl", "fixed_excl_rate", "one_plus_fixed",
                "one_plus_fixed_rate",
            ),
        ),
        optional=_PLACE_MORE,
        known=_PLACE_KNOWN | _SCHOOL_KEYS,
        refused=_SPLITS,
    ),
    Layout(
        name="suspensions_by_geographic_level",
        title="Suspensions and permanent exclusions by geographic level",
        publication=_EXCLUSIONS_TITLE,
        family="exclusions",
        shared=_PLACE,
        required=(
            _PHASE,
            *_own(
                "headcount", "perm_excl", "perm_excl_rate", "suspension", "susp_rate", "one_plus_susp",
                "one_plus_susp_rate",
            ),
        ),
        optional=_PLACE_MORE,
        known=_PLACE_KNOWN | _SCHOOL_KEYS,
        refused=_SPLITS,
    ),
    Layout(
        name="attendance_snapshots",
        title="Attendance in the year to date, as at each publication",
        publication=_DAILY_TITLE,
        family="daily",
        shared=_PLACE,
        # A stack of years has both names of the phase, one of them blank in each row.
        required=(("snapshot_date",), *_ATTENDANCE),
        optional=(*_ATTENDANCE_MORE, ("phase_other", "school_type")),
        known=_PLACE_KNOWN | _REGISTER,
        refused=_SPLITS,
    ),
    Layout(
        name="attendance_to_date",
        title="Attendance in the year to date or a term",
        publication=_DAILY_TITLE,
        family="daily",
        shared=_PLACE,
        required=_ATTENDANCE,
        optional=_ATTENDANCE_MORE,
        known=_PLACE_KNOWN | _REGISTER,
        refused=_SPLITS | {"snapshot_date"},
    ),
)  # fmt: skip


def _unused(name: str, title: str, why: str, *required: Names, refused: frozenset[str] = frozenset()) -> Layout:
    return Layout(name=name, title=title, publication="", required=required, why_not=why, refused=refused)


_SPLIT = ("breakdown", "characteristic", "breakdown_topic", "characteristic_group", "sex", "gender")
_BY_GROUP = "figures for groups of pupils; this study compares all pupils of a council"
_SCHOOLS = "figures or names of single schools; this study compares councils"
_CONTEXT = "context; the registered design uses no covariates from it"

KNOWN_NOT_USED: tuple[Layout, ...] = (
    _unused(
        "attendance_daily", "Attendance by day", "days of one week; the year to date is used",
        ("attendance_date",), ("possible_sessions",),
    ),
    _unused(
        "attendance_long", "Attendance by day or week, long", "days or weeks; the year to date is used",
        ("attendance_status",), ("time_frame", "attendance_date", "day_number"), ("session_count",),
    ),
    _unused("attendance_by_sen", "Attendance by need", _BY_GROUP, ("send_category",), ("attendance_perc",)),
    _unused("attendance_by_group", "Attendance by characteristic", _BY_GROUP, _SPLIT, ("attendance_perc",)),
    _unused("absence_by_sen", "Absence by need", _BY_GROUP, ("send_category",), ("sess_overall_percent",)),
    _unused("absence_by_group", "Absence by characteristic", _BY_GROUP, _SPLIT, ("sess_overall_percent",)),
    _unused(
        "absence_by_term", "Absence by term to 2016/17",
        "terms at one decimal, without all phases; the whole years are in the annual file",
        ("term",), ("sess_overall_percent",),
    ),
    _unused(
        "absence_bands", "Pupils by band of absence", "for calibrating simulation, not for estimating",
        ("pct5_OARate",), ("pct50plus_OARate",),
    ),
    _unused(
        "absence_percent_bands", "Pupils by one-point band of absence", "national only",
        ("percent_bands",), ("enrolments_overall",),
    ),
    _unused(
        "school_absence_core", "Absence by school", _SCHOOLS,
        ("urn", "school_urn"), ("laestab", "school_laestab"), ("sess_possible",),
        refused=frozenset({"geographic_level", "time_identifier", "sess_overall_percent"}),
    ),
    _unused(
        "school_absence_wide", "Absence by school, three years side by side", _SCHOOLS,
        ("Abs_Persistent_Est_Current_Pct",), ("Abs_Tot_Est_Current_Pct",),
    ),
    _unused(
        "exclusions_by_reason", "Exclusions by reason", "reasons are not an outcome of this study",
        ("perm_physical_pupils", "perm_physical_assault_pupil", "reason"),
        ("fixed_physical_pupils", "susp_physical_pupils", "susp_physical_assault_pupil", "suspension"),
    ),
    _unused("exclusions_by_group", "Exclusions by characteristic", _BY_GROUP, _SPLIT, ("perm_excl",)),
    _unused("suspensions_by_sen", "Suspensions by need", _BY_GROUP, ("send_category",), ("susp_rate",)),
    _unused(
        "ees_metadata", "Column descriptions of a data file", "describes another file",
        ("col_name",), ("col_type",), ("label",),
    ),
    _unused(
        "ees_data_dictionary", "Standard filters and items", "describes other files",
        ("col_name",), ("filter_item",),
    ),
    _unused("pupils_by_fsm", "Pupils by free-school-meal eligibility", _CONTEXT, ("fsm_eligibility",)),
    _unused(
        "pupils_by_ethnicity", "Pupils by ethnicity and language", _CONTEXT, ("ethnicity",), ("language",)
    ),
    _unused(
        "verified_figures", "Figures read off by hand", "for tests of this package, not for estimating",
        ("measure",), ("academic_year",), ("value",), ("source_column_or_measure",),
    ),
    _unused("school_names", "Names of schools", _SCHOOLS, ("LAEstab",), ("SchoolName",)),
    _unused(
        "establishments", "Register of establishments", _SCHOOLS,
        ("URN",), ("EstablishmentName",), ("PhaseOfEducationName", "PhaseOfEducation (name)"),
    ),
)  # fmt: skip

LAYOUTS: tuple[Layout, ...] = (*USED, *KNOWN_NOT_USED)
