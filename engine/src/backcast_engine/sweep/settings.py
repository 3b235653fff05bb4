"""Settings of the execution that a sweep varies: stops, size, direction, fill time and costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backcast_engine.errors import Violation
from backcast_engine.execution import Execution
from backcast_engine.near_names import did_you_mean

# The fields that each setting consists of. Of the sizes one counts, and they are one setting.
SETTINGS: Mapping[str, tuple[str, ...]] = {
    "size": ("equity_fraction", "quote_amount", "volatility_target"),
    **{
        name: (name,)
        for name in (
            *("stop_loss", "take_profit", "trailing_stop", "atr_period"),
            *("direction", "fill_time"),
            *("fee_rate", "slippage_bps", "borrow_rate", "funding_rate"),
        )
    },
}


@dataclass(frozen=True, slots=True)
class SettingValues:
    """A setting of the execution, and executions that have its values; their other fields do not count."""

    name: str
    values: tuple[Execution, ...]

    def parts(self, index: int) -> dict[str, Any]:
        """Return the fields of a value, by name."""
        return {field: getattr(self.values[index], field) for field in SETTINGS[self.name]}

    @property
    def scale(self) -> list[Any]:
        """The values as a search compares them: what has one field has its order."""
        parts = [tuple(self.parts(index).values()) for index in range(len(self.values))]
        return [one[0] if len(one) == 1 else one for one in parts]


def with_settings(
    execution: Execution, settings: Sequence[SettingValues], indexes: Sequence[int]
) -> Execution:
    """Return `execution` with one value of each setting, which `indexes` choose."""
    parts: dict[str, Any] = {}
    for setting, index in zip(settings, indexes, strict=True):
        parts |= setting.parts(index)
    return replace(execution, **parts)


def setting_violations(
    execution: Execution, settings: Sequence[SettingValues], most_values: int
) -> list[Violation]:
    """Return what is wrong with the values of settings; fields are `execution_ranges[0].values[1]` and so on.

    `execution` has the other fields: consent to high costs is one of them.
    """
    violations = []
    taken: set[str] = set()
    for index, setting in enumerate(settings):
        field = f"execution_ranges[{index}]"
        if setting.name not in SETTINGS:
            hint = did_you_mean(setting.name[:40], SETTINGS, f"there are {', '.join(SETTINGS)}")
            violations.append(Violation(f"{field}.name", f"cannot be swept: {hint}"))
        elif setting.name in taken:
            violations.append(Violation(f"{field}.name", f"{setting.name} has a range already"))
        elif not 0 < len(setting.values) <= most_values:
            reason = f"from 1 to {most_values:,} are needed, not {len(setting.values):,}"
            violations.append(Violation(f"{field}.values", reason))
        else:
            violations += _value_violations(execution, setting, field)
        taken.add(setting.name)
    return violations


def _value_violations(execution: Execution, setting: SettingValues, field: str) -> list[Violation]:
    violations = []
    seen: list[dict[str, Any]] = []
    for index in range(len(setting.values)):
        parts = setting.parts(index)
        place = f"{field}.values[{index}]"
        found = [
            Violation(f"{place}.{path}", fault.reason)
            for fault in replace(execution, **parts).violations()
            if (path := fault.field.removeprefix("execution.")).partition(".")[0] in parts
        ]
        if not found and parts in seen:
            found = [Violation(place, "occurs twice")]
        violations += found
        seen.append(parts)
    return violations
