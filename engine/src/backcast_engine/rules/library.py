"""The functions of TA-Lib that are functions of rules, as TA-Lib describes them.

TA-Lib is not imported for it: that would make every start slower, and few rules need it. A test compares the
table with TA-Lib's own descriptions. Functions that rules have anyway are not in it (add, max, rsi, ...).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from backcast_engine.candles import VALUE_COLUMNS
from backcast_engine.indicators.library import LibraryFunction, Memory


@dataclass(frozen=True, slots=True)
class DescribedConstant:
    """A parameter; `maximum` is None where it is that of all periods."""

    name: str
    whole: bool
    default: float
    minimum: float
    maximum: float | None


@dataclass(frozen=True, slots=True)
class Described:
    """A function of TA-Lib.

    `inputs` are names of series and their columns by default, None where there is none; `parts` are the
    endings of the names of its results, empty for the one that has the function's own name.
    """

    name: str
    compute: LibraryFunction
    inputs: tuple[tuple[str, str | None], ...]
    constants: tuple[DescribedConstant, ...]
    parts: tuple[str, ...]
    help: str


def described_functions() -> Iterator[Described]:
    """Yield the functions of the table."""
    # What is indented goes on with the line before.
    for line in _TABLE.replace("\n    ", " ").splitlines():
        if line and not line.startswith("#"):
            yield _described(*(cell.strip() for cell in line.split("|")))


def _described(name: str, inputs: str, constants: str, memory: str, parts: str, summary: str) -> Described:
    series, parameters = inputs.split(), tuple(map(_constant, constants.split()))
    endings = tuple(part.strip("-") for part in parts.split()) or ("",)
    kinds = tuple(index for index, one in enumerate(parameters) if one.name.endswith("matype"))
    compute = LibraryFunction(name.upper(), len(series), len(endings), Memory(memory), kinds)
    # There is no column of periods, and series can be left out all together only.
    usual = {} if "periods" in series else _USUAL
    return Described(
        name, compute, tuple((one, usual.get(one)) for one in series), parameters, endings, summary
    )


def _constant(written: str) -> DescribedConstant:
    name, _, values = written.partition("=")
    default, minimum, *maximum = values.split(":")
    whole = "." not in default
    return DescribedConstant(
        name, whole, float(default), float(minimum), float(maximum[0]) if maximum else None
    )


_USUAL = {"series": "close", "left": "high", "right": "low", **{name: name for name in VALUE_COLUMNS}}

# Name, inputs, constants as name=default:minimum:maximum, what its values depend on, results, and what it is.
# TA-Lib calls period, fast, slow and signal timeperiod, fastperiod and so on.
_TABLE = """
# Cycle Indicators
ht_dcperiod | series | | fades | | Hilbert Transform - Dominant Cycle Period
ht_dcphase | series | | fades | | Hilbert Transform - Dominant Cycle Phase
ht_phasor | series | | fades | inphase quadrature | Hilbert Transform - Phasor Components
ht_sine | series | | fades | - lead | Hilbert Transform - SineWave
ht_trendmode | series | | fades | | Hilbert Transform - Trend vs Cycle Mode
# Math Operators
cumsum | series | | sums | | Sum of all values
maxindex | series | period=30:2 | window | | How many candles ago the highest of the last values was
minindex | series | period=30:2 | window | | How many candles ago the lowest of the last values was
sum | series | period=30:2 | window | | Sum of the last values
# Math Transform
acos | series | | window | | Arc cosine
asin | series | | window | | Arc sine
atan | series | | window | | Arc tangent
ceil | series | | window | | The smallest whole number that is not below the value
cos | series | | window | | Cosine
cosh | series | | window | | Hyperbolic cosine
floor | series | | window | | The greatest whole number that is not above the value
ln | series | | window | | Natural logarithm
log10 | series | | window | | Logarithm to base 10
sin | series | | window | | Sine
sinh | series | | window | | Hyperbolic sine
tan | series | | window | | Tangent
tanh | series | | window | | Hyperbolic tangent
# Momentum Indicators
ac | high low | fast=5:2 slow=34:2 signal=5:2 | window | | Accelerator Oscillator
adx | high low close | period=14:2 | fades | | Average Directional Movement Index
adxr | high low close | period=14:2 | fades | | Average Directional Movement Index Rating
ao | high low | fast=5:2 slow=34:2 | window | | Awesome Oscillator
apo | series | fast=12:2 slow=26:2 matype=1:0:13 | fades | | Absolute Price Oscillator
aroon | high low | period=14:2 | window | down up | Aroon
aroonosc | high low | period=14:2 | window | | Aroon Oscillator
bop | open high low close | | window | | Balance Of Power
cci | high low close | period=14:2 | window | | Commodity Channel Index
cmo | series | period=14:2 | fades | | Chande Momentum Oscillator
cmou | series | period=14:2 | window | | Chande Momentum Oscillator (Unsmoothed)
coppock | series | wmaperiod=10:1 roc1period=11:1 roc2period=14:1 | window | | Coppock Curve
dpo | series | period=20:2 | window | | Detrended Price Oscillator
dx | high low close | period=14:2 | fades | | Directional Movement Index
er | series | period=10:2 | window | | Kaufman Efficiency Ratio
eri | high low close | period=13:1 | fades | bull bear | Elder Ray Index, power
fosc | series | period=5:2 | window | | Forecast Oscillator
fractal | high low | leftbars=2:1 rightbars=2:1 | window | high low | Williams Fractal
imi | open close | period=14:2 | window | | Intraday Momentum Index
kdj | high low close |
    fastk_period=9:1 slowk_period=3:1 slowk_matype=13:0:13 slowd_period=3:1 slowd_matype=13:0:13 | fades
    | k d j | KDJ Stochastic
macdext | series |
    fast=12:2 fastmatype=0:0:13 slow=26:2 slowmatype=0:0:13 signal=9:1 signalmatype=0:0:13 | fades | -
    signal histogram | MACD with chosen averages
macdfix | series | signal=9:1 | fades | - signal histogram | MACD of 12 and 26 candles
mfi | high low close volume | period=14:2 | window | | Money Flow Index
minus_di | high low close | period=14:1 | fades | | Minus Directional Indicator
minus_dm | high low | period=14:1 | fades | | Minus Directional Movement
plus_di | high low close | period=14:1 | fades | | Plus Directional Indicator
plus_dm | high low | period=14:1 | fades | | Plus Directional Movement
ppo | series | fast=12:2 slow=26:2 matype=1:0:13 | fades | | Percentage Price Oscillator
qstick | open close | period=10:1 | window | | Qstick
rocp | series | period=10:1 | window | | Rate of change, as a fraction
rocr | series | period=10:1 | window | | Ratio to the value `period` candles ago
rocr100 | series | period=10:1 | window | | Ratio to the value `period` candles ago, in percent
smi | high low close |
    period=13:2 fast=2:2 slow=25:2 signal=9:2 | fades | - signal | Stochastic Momentum Index
stoch | high low close |
    fastk_period=5:1 slowk_period=3:1 slowk_matype=0:0:13 slowd_period=3:1 slowd_matype=0:0:13 | fades |
    k d | Stochastic
stochf | high low close |
    fastk_period=5:1 fastd_period=3:1 fastd_matype=0:0:13 | fades | k d | Stochastic Fast
stochrsi | series |
    period=14:2 fastk_period=5:1 fastd_period=3:1 fastd_matype=0:0:13 | fades | k d | Stochastic
    Relative Strength Index
trix | series | period=30:1 | fades | | Rate of change of a triple EMA, in percent
tsi | series | firstperiod=25:2 secondperiod=13:2 | fades | | True Strength Index
ultosc | high low close | timeperiod1=7:1 timeperiod2=14:1 timeperiod3=28:1 | window | | Ultimate Oscillator
vhf | series | period=28:2 | window | | Vertical Horizontal Filter
vortex | high low close | period=14:1 | window | plus minus | Vortex Indicator
wad | high low close | | sums | | Williams' Accumulation/Distribution
willr | high low close | period=14:2 | window | | Williams' %R
# Overlap Studies
accbands | high low close | period=20:2 | window | upper middle lower | Acceleration Bands
bbands | series |
    period=20:2 nbdevup=2.0:-1e9:1e9 nbdevdn=2.0:-1e9:1e9 matype=0:0:13 | fades | upper middle lower |
    Bollinger Bands
dema | series | period=30:1 | fades | | Double Exponential Moving Average
donchian | high low | period=20:2 | window | upper middle lower | Donchian Channels
hma | series | period=20:1 | window | | Hull Moving Average
ht_trendline | series | | fades | | Hilbert Transform - Instantaneous Trendline
kama | series | period=30:1 | fades | | Kaufman Adaptive Moving Average
kc | high low close |
    period=20:2 atrperiod=10:1 nbdev=2.0:-1e9:1e9 | fades | upper middle lower | Keltner Channels
ma | series | period=30:1 matype=0:0:13 | fades | | Moving average of a chosen kind
mama | series |
    fastlimit=0.5:0.01:0.99 slowlimit=0.05:0.01:0.99 | fades | - fama | MESA Adaptive Moving Average
mavp | series periods |
    minperiod=2:1 maxperiod=30:2 matype=0:0:13 | fades | | Moving average with a period of its own at
    each candle
midpoint | series | period=14:2 | window | | Middle between the highest and the lowest value
midprice | high low | period=14:2 | window | | Middle between the highest high and the lowest low
rma | series | period=30:1 | fades | | Wilder's Smoothed Moving Average
sar | high low | acceleration=0.02:0:1e9 maximum=0.2:0:1e9 | turns | | Parabolic SAR
sarext | high low |
    startvalue=0.0:-1e9:1e9 offsetonreverse=0.0:0:1e9 accelerationinitlong=0.02:0:1e9
    accelerationlong=0.02:0:1e9 accelerationmaxlong=0.2:0:1e9 accelerationinitshort=0.02:0:1e9
    accelerationshort=0.02:0:1e9 accelerationmaxshort=0.2:0:1e9 | turns | | Parabolic SAR with more
    parameters, negative in a downtrend
t3 | series | period=5:1 vfactor=0.7:0:1 | fades | | Triple Exponential Moving Average (T3)
tema | series | period=30:1 | fades | | Triple Exponential Moving Average
trima | series | period=30:1 | window | | Triangular Moving Average
vwma | series volume | period=30:1 | window | | Volume Weighted Moving Average
zlema | series | period=30:1 | fades | | Zero-Lag Exponential Moving Average
# Pattern Recognition
cdl2crows | open high low close | | window | | Two Crows
cdl3blackcrows | open high low close | | window | | Three Black Crows
cdl3inside | open high low close | | window | | Three Inside Up/Down
cdl3linestrike | open high low close | | window | | Three-Line Strike
cdl3outside | open high low close | | window | | Three Outside Up/Down
cdl3starsinsouth | open high low close | | window | | Three Stars In The South
cdl3whitesoldiers | open high low close | | window | | Three Advancing White Soldiers
cdlabandonedbaby | open high low close | penetration=0.3:0:1e9 | window | | Abandoned Baby
cdladvanceblock | open high low close | | window | | Advance Block
cdlbelthold | open high low close | | window | | Belt-hold
cdlbreakaway | open high low close | | window | | Breakaway
cdlclosingmarubozu | open high low close | | window | | Closing Marubozu
cdlconcealbabyswall | open high low close | | window | | Concealing Baby Swallow
cdlcounterattack | open high low close | | window | | Counterattack
cdldarkcloudcover | open high low close | penetration=0.5:0:1e9 | window | | Dark Cloud Cover
cdldoji | open high low close | | window | | Doji
cdldojistar | open high low close | | window | | Doji Star
cdldragonflydoji | open high low close | | window | | Dragonfly Doji
cdlengulfing | open high low close | | window | | Engulfing Pattern
cdleveningdojistar | open high low close | penetration=0.3:0:1e9 | window | | Evening Doji Star
cdleveningstar | open high low close | penetration=0.3:0:1e9 | window | | Evening Star
cdlgapsidesidewhite | open high low close | | window | | Up/Down-gap side-by-side white lines
cdlgravestonedoji | open high low close | | window | | Gravestone Doji
cdlhammer | open high low close | | window | | Hammer
cdlhangingman | open high low close | | window | | Hanging Man
cdlharami | open high low close | | window | | Harami Pattern
cdlharamicross | open high low close | | window | | Harami Cross Pattern
cdlhighwave | open high low close | | window | | High-Wave Candle
cdlhikkake | open high low close | | window | | Hikkake Pattern
cdlhikkakemod | open high low close | | window | | Modified Hikkake Pattern
cdlhomingpigeon | open high low close | | window | | Homing Pigeon
cdlidentical3crows | open high low close | | window | | Identical Three Crows
cdlinneck | open high low close | | window | | In-Neck Pattern
cdlinvertedhammer | open high low close | | window | | Inverted Hammer
cdlkicking | open high low close | | window | | Kicking
cdlkickingbylength | open high low close |
    | window | | Kicking - bull/bear determined by the longer marubozu
cdlladderbottom | open high low close | | window | | Ladder Bottom
cdllongleggeddoji | open high low close | | window | | Long Legged Doji
cdllongline | open high low close | | window | | Long Line Candle
cdlmarubozu | open high low close | | window | | Marubozu
cdlmatchinglow | open high low close | | window | | Matching Low
cdlmathold | open high low close | penetration=0.5:0:1e9 | window | | Mat Hold
cdlmorningdojistar | open high low close | penetration=0.3:0:1e9 | window | | Morning Doji Star
cdlmorningstar | open high low close | penetration=0.3:0:1e9 | window | | Morning Star
cdlonneck | open high low close | | window | | On-Neck Pattern
cdlpiercing | open high low close | | window | | Piercing Pattern
cdlrickshawman | open high low close | | window | | Rickshaw Man
cdlrisefall3methods | open high low close | | window | | Rising/Falling Three Methods
cdlseparatinglines | open high low close | | window | | Separating Lines
cdlshootingstar | open high low close | | window | | Shooting Star
cdlshortline | open high low close | | window | | Short Line Candle
cdlspinningtop | open high low close | | window | | Spinning Top
cdlstalledpattern | open high low close | | window | | Stalled Pattern
cdlsticksandwich | open high low close | | window | | Stick Sandwich
cdltakuri | open high low close | | window | | Takuri (Dragonfly Doji with very long lower shadow)
cdltasukigap | open high low close | | window | | Tasuki Gap
cdlthrusting | open high low close | | window | | Thrusting Pattern
cdltristar | open high low close | | window | | Tristar Pattern
cdlunique3river | open high low close | | window | | Unique 3 River
cdlupsidegap2crows | open high low close | | window | | Upside Gap Two Crows
cdlxsidegap3methods | open high low close | | window | | Upside/Downside Gap Three Methods
# Price Transform
avgdev | series | period=14:2 | window | | Average Deviation
avgprice | open high low close | | window | | Average Price
ha | open high low close | | fades | open high low close | Heikin-Ashi Candles
medprice | high low | | window | | Median Price
typprice | high low close | | window | | Typical Price
wclprice | high low close | | window | | Weighted Close Price
# Statistic Functions
beta | left right | period=5:1 | window | | Beta
correl | left right | period=30:1 | window | | Pearson's correlation
linearreg | series | period=14:2 | window | | Linear Regression
linearreg_angle | series | period=14:2 | window | | Linear Regression Angle
linearreg_intercept | series | period=14:2 | window | | Linear Regression Intercept
linearreg_slope | series | period=14:2 | window | | Linear Regression Slope
percentile | series |
    period=30:2 percentile=50.0:0:100 | window | | The value of a percentile, by nearest rank
percentrank | series | period=100:2 | window | | Percentage of the previous values that are below the value
tsf | series | period=14:2 | window | | Time Series Forecast
var | series | period=5:1 nbdev=1.0:-1e9:1e9 | window | | Variance
# Volatility Indicators
adr | high low | period=14:1 | window | | Average Day Range
cvi | high low | period=10:2 rocperiod=10:1 | fades | | Chaikin's Volatility
massi | high low | fast=9:2 slow=25:2 | fades | | Mass Index
natr | high low close | period=14:1 | fades | | Normalized Average True Range
rvi | series | period=14:1 stddevperiod=10:2 | fades | | Relative Volatility Index
# Volume Indicators
ad | high low close volume | | sums | | Chaikin A/D Line
adosc | high low close volume | fast=3:2 slow=10:2 | fades | | Chaikin A/D Oscillator
cmf | high low close volume | period=20:2 | window | | Chaikin Money Flow
efi | close volume | period=13:1 | fades | | Elder's Force Index
marketfi | high low volume | | window | | Market Facilitation Index
nvi | close volume | | sums | | Negative Volume Index
obv | series volume | | sums | | On Balance Volume
pvi | close volume | | sums | | Positive Volume Index
pvo | volume | fast=12:2 slow=26:2 matype=1:0:13 | fades | | Percentage Volume Oscillator
pvt | close volume | | sums | | Price Volume Trend
rvol | volume | period=20:1 | window | | Relative Volume
"""
