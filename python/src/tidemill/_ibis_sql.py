"""Expressions of Ibis as the SQL that the engine has: DataFusion's functions, with PostgreSQL's answers."""

import math
from typing import Any, ClassVar

import ibis.common.exceptions as com
import ibis.expr.datatypes as dt
import ibis.expr.operations as ops
import sqlglot as sg
import sqlglot.expressions as sge
from ibis.backends.sql.compilers.datafusion import DataFusionCompiler
from ibis.backends.sql.dialects import DataFusion

MICROS_PER_SECOND = 1_000_000
MILLIS_PER_SECOND = 1000
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
SUBSECONDS = {"ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
MONTHS = {"month": 1, "quarter": 3, "year": 12}


class Tidemill(DataFusion):  # type: ignore[misc]
    """Known to sqlglot by its name, as `con.sql(query, dialect="tidemill")` needs."""

    class Generator(DataFusion.Generator):  # type: ignore[misc]
        # PostgreSQL has neither
        TRANSFORMS: ClassVar[dict[Any, Any]] = {
            **DataFusion.Generator.TRANSFORMS,
            sge.TryCast: lambda self, e: f"TRY_CAST({self.sql(e, 'this')} AS {self.sql(e, 'to')})",
        }
        TYPE_MAPPING: ClassVar[dict[Any, str]] = {
            **DataFusion.Generator.TYPE_MAPPING,
            sge.DataType.Type.UTINYINT: "TINYINT UNSIGNED",
            sge.DataType.Type.USMALLINT: "SMALLINT UNSIGNED",
            sge.DataType.Type.UINT: "INT UNSIGNED",
            sge.DataType.Type.UBIGINT: "BIGINT UNSIGNED",
        }


class TidemillCompiler(DataFusionCompiler):  # type: ignore[misc]
    """Ibis gives DataFusion functions of Python where it has none of its own; here they are written in SQL."""

    __slots__ = ()

    dialect = Tidemill
    SIMPLE_OPS: ClassVar[dict[Any, str]] = {
        ops.ArrayMax: "array_max",
        ops.ArrayMean: "array_avg",
        ops.ArrayMin: "array_min",
        ops.ArraySum: "array_sum",
        ops.HashBytes: "digest",
        ops.StringToTime: "to_time",
        ops.StringToTimestamp: "to_timestamp_micros",
        ops.TimestampRange: "range",
    }
    UNSUPPORTED_OPS = (
        ops.ExtractAuthority,
        ops.ExtractFile,
        ops.ExtractFragment,
        ops.ExtractHost,
        ops.ExtractPath,
        ops.ExtractProtocol,
        ops.ExtractQuery,
        ops.ExtractUserInfo,
        ops.RegexSplit,
        ops.ScalarUDF,
        ops.AggUDF,
        ops.ElementWiseVectorizedUDF,
        ops.AnalyticVectorizedUDF,
        ops.ReductionVectorizedUDF,
    )

    def visit_NonNullLiteral(self, op: Any, *, value: Any, dtype: Any) -> Any:
        # a number with a point is a decimal, and a decimal of many digits is no exact float
        if dtype.is_floating() and math.isfinite(value):
            return self.cast(sge.convert(repr(float(value))), dt.float64)
        if dtype.is_date():
            return self.cast(sge.convert(value.isoformat()), dt.date)
        if dtype.is_time():
            return self.cast(sge.convert(value.isoformat()), dt.time)
        if dtype.is_interval() and dtype.unit.short in SUBSECONDS:
            return sge.Interval(this=sge.convert(str(value)), unit=sge.var(SUBSECONDS[dtype.unit.short]))
        return super().visit_NonNullLiteral(op, value=value, dtype=dtype)

    def cast(self, arg: Any, to: Any) -> Any:
        if to.is_timestamp() and to.scale not in (None, 6):
            return self._to_timestamp(arg, to, dt.timestamp)
        return super().cast(arg, to)

    def _to_timestamp(self, value: Any, target_dtype: Any, from_: Any) -> Any:
        if from_.is_timestamp() and from_.timezone is None and target_dtype.timezone is not None:
            # Ibis takes a time without a zone as UTC, and a cast as one of the zone
            value = super()._to_timestamp(value, target_dtype.copy(timezone="UTC"), from_)
        return super()._to_timestamp(value, target_dtype, from_)

    # parts of times

    def visit_ExtractMicrosecond(self, op: Any, *, arg: Any) -> Any:
        return self._whole(self.f.date_part("microsecond", arg)) % MICROS_PER_SECOND

    def visit_ExtractMillisecond(self, op: Any, *, arg: Any) -> Any:
        return self._whole(self.f.floor(self.f.date_part("millisecond", arg))) % MILLIS_PER_SECOND

    def visit_ExtractSecond(self, op: Any, *, arg: Any) -> Any:
        return self._whole(self.f.floor(self.f.date_part("second", arg)))

    def visit_ExtractMinute(self, op: Any, *, arg: Any) -> Any:
        return self.f.date_part("minute", arg)

    def visit_ExtractHour(self, op: Any, *, arg: Any) -> Any:
        return self.f.date_part("hour", arg)

    def visit_ExtractEpochSeconds(self, op: Any, *, arg: Any) -> Any:
        return self._whole(self.f.floor(self.f.date_part("epoch", arg)))

    def visit_ExtractIsoYear(self, op: Any, *, arg: Any) -> Any:
        return self.f.date_part("isoyear", arg)

    def visit_TimestampTruncate(self, op: Any, *, arg: Any, unit: Any) -> Any:
        return self.f.date_trunc(unit.name.lower(), arg)

    def visit_IntervalFromInteger(self, op: Any, *, arg: Any, unit: Any) -> Any:
        if unit.name == "QUARTER":
            arg, name = sge.paren(arg) * MONTHS["quarter"], "month"
        else:
            name = unit.name.lower()
        return sg.cast(self.f.concat(self.cast(arg, dt.string), f" {name}"), "interval")

    def visit_Date(self, op: Any, *, arg: Any) -> Any:
        return self.cast(arg, dt.date)

    def visit_Time(self, op: Any, *, arg: Any) -> Any:
        return self.cast(arg, dt.time)

    def visit_DateFromYMD(self, op: Any, *, year: Any, month: Any, day: Any) -> Any:
        return self.f.make_date(year, month, day)

    def visit_StringToDate(self, op: Any, *, arg: Any, format_str: Any) -> Any:
        # as it stands: sqlglot knows this one with PostgreSQL's patterns
        return self.f.anon.to_date(arg, format_str)

    def visit_TimeFromHMS(self, op: Any, *, hours: Any, minutes: Any, seconds: Any) -> Any:
        parts = (self.f.lpad(self.cast(part, dt.string), 2, "0") for part in (hours, minutes, seconds))
        return self.cast(self.f.concat_ws(":", *parts), dt.time)

    def visit_DateDelta(self, op: Any, *, left: Any, right: Any, part: Any) -> Any:
        if op.part.value != "day":
            raise com.UnsupportedOperationError("a difference of dates is one of days")
        return left - right

    def visit_TimestampDelta(self, op: Any, *, left: Any, right: Any, part: Any) -> Any:
        """How many boundaries of the unit lie between both."""
        unit = op.part.value
        if unit in MONTHS:
            return self._months(left, MONTHS[unit]) - self._months(right, MONTHS[unit])
        if unit not in SECONDS:
            raise com.UnsupportedOperationError(f"a difference of times in units of {unit}")
        return self._units(left, SECONDS[unit]) - self._units(right, SECONDS[unit])

    visit_TimeDelta = visit_TimestampDelta

    def visit_TimestampBucket(self, op: Any, *, arg: Any, interval: Any, offset: Any) -> Any:
        origin = self.cast(sge.convert("1970-01-01"), dt.timestamp)
        return self.f.date_bin(interval, arg, origin if offset is None else origin + offset)

    # lists and maps

    def visit_IntegerRange(self, op: Any, *, start: Any, stop: Any, step: Any) -> Any:
        """Empty where the steps lead nowhere."""
        leads = sg.and_(step.neq(0), self.f.sign(step).eq(self.f.sign(sge.paren(stop) - sge.paren(start))))
        return self.if_(leads, self.f.range(start, stop, step), self.cast(self.f.array(), op.dtype))

    def visit_ArraySlice(self, op: Any, *, arg: Any, start: Any, stop: Any) -> Any:
        """From places that count from 0, or from the end with a minus, to those that count from 1, both in it."""
        begin = sge.paren(start) + self.if_(start >= 0, 1, 0)
        end = self._whole(self.f.array_length(arg)) if stop is None else sge.paren(stop) - self.if_(stop < 0, 1, 0)
        return self.f.array_slice(arg, begin, end)

    def visit_ArrayCollect(
        self, op: Any, *, arg: Any, where: Any, order_by: Any, include_null: Any, distinct: Any
    ) -> Any:
        if not include_null:
            present = arg.is_(sg.not_(sge.null()))
            where = present if where is None else sg.and_(where, present)
        values = sge.Distinct(expressions=[arg]) if distinct else arg
        return self.agg.array_agg(values, where=where, order_by=order_by)

    def visit_MapGet(self, op: Any, *, arg: Any, key: Any, default: Any) -> Any:
        if op.dtype.is_null():
            return sge.null()
        return self.f.coalesce(self.f.array_element(self.f.map_extract(arg, key), 1), default)

    def visit_HexDigest(self, op: Any, *, arg: Any, how: str) -> Any:
        return self.f.encode(self.f.digest(arg, how), "hex")

    # bits

    def visit_BitwiseXor(self, op: Any, *, left: Any, right: Any) -> Any:
        return sge.paren(sge.BitwiseOr(this=left, expression=right)) - sge.paren(
            sge.BitwiseAnd(this=left, expression=right)
        )

    def visit_BitwiseNot(self, op: Any, *, arg: Any) -> Any:
        return sge.convert(-1) - sge.paren(arg)

    # aggregates

    def visit_CountDistinctStar(self, op: Any, *, arg: Any, where: Any) -> Any:
        names = [sg.column(name, quoted=self.quoted) for name in op.arg.schema]
        return self.agg.count(sge.Distinct(expressions=[sge.Tuple(expressions=names)]), where=where)

    def visit_Quantile(self, op: Any, *, arg: Any, quantile: Any, where: Any) -> Any:
        return self._ordered("percentile_cont", arg, quantile, where)

    def visit_ApproxQuantile(self, op: Any, *, arg: Any, quantile: Any, where: Any) -> Any:
        return self._ordered("approx_percentile_cont", arg, quantile, where)

    def visit_GroupConcat(self, op: Any, *, arg: Any, sep: Any, where: Any, order_by: Any) -> Any:
        return self.agg.string_agg(arg, sep, where=where, order_by=order_by)

    def _ordered(self, function: str, arg: Any, quantile: Any, where: Any) -> Any:
        order = sge.Order(expressions=[sge.Ordered(this=arg)])
        aggregate = sge.WithinGroup(this=self.f[function](quantile), expression=order)
        return aggregate if where is None else sge.Filter(this=aggregate, expression=sge.Where(this=where))

    def _units(self, moment: Any, seconds: int) -> Any:
        # weeks begin on Monday, and 1970 on a Thursday
        shift = 3 * SECONDS["day"] if seconds == SECONDS["week"] else 0
        return self._whole(self.f.floor(sge.paren(self.f.date_part("epoch", moment) + shift) / seconds))

    def _months(self, moment: Any, months: int) -> Any:
        of_year = self.f.date_part("month", moment) - 1
        whole = sge.paren(self.f.date_part("year", moment) * 12 + of_year)
        return self._whole(self.f.floor(whole / months))

    def _whole(self, value: Any) -> Any:
        return self.cast(value, dt.int64)


compiler: Any = TidemillCompiler()
