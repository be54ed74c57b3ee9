"""The functions a statement may call: those whose result depends on their arguments alone, and is as small as they are.

Left out on purpose: what reads a clock, a session, a setting, a file or a sequence; what makes many rows or long values
from a number (`range`, `repeat`, `lpad`, `format`); what gives a list, a map or a struct, which no column holds.
"""

from __future__ import annotations

from typing import Final

_OPERATORS: Final = "+ - * / // % || ~~ !~~ ~~* !~~* ^ ** & | << >> -> ->> @ ~ xor"
_TEXT: Final = """
    ascii bit_length char_length character_length chr concat concat_ws contains damerau_levenshtein ends_with hamming
    instr jaccard jaro_similarity jaro_winkler_similarity lcase left length levenshtein like_escape ilike_escape
    not_like_escape not_ilike_escape lower ltrim md5 nfc_normalize octet_length ord position prefix regexp_escape
    regexp_extract regexp_full_match regexp_matches regexp_replace replace reverse right rtrim sha1 sha256 split_part
    starts_with strip_accents strlen strpos substr substring suffix translate trim ucase unicode upper url_decode
    url_encode
"""
_NUMBERS: Final = """
    abs acos add asin atan atan2 bit_count cbrt ceil ceiling cos cot degrees divide even exp floor gcd greatest isfinite
    isinf isnan lcm least ln log log10 log2 mod multiply pi pow power radians round sign sin sqrt subtract tan trunc
"""
_TIMES: Final = """
    date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek
    dayofyear decade epoch epoch_ms epoch_us era hour isodow isoyear julian last_day make_date make_time make_timestamp
    microsecond millisecond minute month monthname quarter second strftime strptime to_days to_hours to_microseconds
    to_milliseconds to_minutes to_months to_seconds to_timestamp to_weeks to_years try_strptime week weekday weekofyear
    year yearweek
"""
_OTHER: Final = """
    base64 coalesce decode encode from_base64 from_hex hash hex if ifnull json_array_length json_contains json_exists
    json_extract json_extract_path json_extract_path_text json_extract_string json_merge_patch json_quote json_type
    json_valid json_value nullif to_base64 to_hex to_json typeof unhex uuid_extract_timestamp uuid_extract_version
"""

SCALARS: Final = frozenset(" ".join((_OPERATORS, _TEXT, _NUMBERS, _TIMES, _OTHER)).split())

_AGGREGATES: Final = """
    any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_min array_agg avg bit_and bit_or
    bit_xor bool_and bool_or corr count count_if count_star countif covar_pop covar_samp entropy first group_concat
    histogram kurtosis last list listagg mad max max_by mean median min min_by mode product quantile quantile_cont
    quantile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope skewness stddev stddev_pop
    stddev_samp string_agg sum sumkahan var_pop var_samp variance
"""
AGGREGATES: Final = frozenset(_AGGREGATES.split())
