"""Descriptions of the strategies, derived from their declarations."""

from google.protobuf.struct_pb2 import Value

from backcast.gateway.v1 import strategy_description_pb2 as pb
from services.engine import STRATEGIES, Strategy
from services.engine.parameters import Choices, Parameter, parameters_of
from services.engine.rules.text import text
from services.engine.strategies.custom_rules import CustomRules

_TYPES = {int: pb.PARAMETER_TYPE_INTEGER, float: pb.PARAMETER_TYPE_NUMBER}


def describe_strategies() -> list[pb.StrategyDescription]:
    """Return the description of every strategy, in order of names."""
    return [_describe_strategy(name, strategy) for name, strategy in sorted(STRATEGIES.items())]


def _describe_strategy(name: str, strategy: type[Strategy]) -> pb.StrategyDescription:
    description = pb.StrategyDescription(
        name=name, summary=strategy.summary, parameters=map(_describe, parameters_of(strategy))
    )
    if strategy is not CustomRules:
        rules = strategy().rules()
        description.entry = text(rules.entry)
        description.exit = text(rules.exit) if rules.exit else ""
    return description


def _describe(parameter: Parameter) -> pb.StrategyParameter:
    spec = parameter.spec
    if isinstance(spec, Choices):
        return pb.StrategyParameter(
            name=parameter.name,
            type=pb.PARAMETER_TYPE_CHOICE,
            default_value=Value(string_value=parameter.default),
            choices=list(spec.options),
            help=spec.help,
        )
    return pb.StrategyParameter(
        name=parameter.name,
        type=_TYPES[parameter.type],
        default_value=Value(number_value=parameter.default),
        minimum=spec.minimum,
        maximum=spec.maximum,
        help=spec.help,
    )
