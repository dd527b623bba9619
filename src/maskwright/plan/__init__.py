"""The plan: from what the data are (fingerprint) and what is wished (time, memory, device) to every setting, with its
reason.

`decide` has a rule for each group of settings (`rules`) and a ladder of networks (`ladder`), from which it takes what
the machine, measured, can train in the time; EXPERIMENTS.md holds the experiments behind both. `follow` does as a
recipe says.
"""

from maskwright.plan.costs import Cost, Measure, Measurement, estimate
from maskwright.plan.deciding import decide
from maskwright.plan.fitting import demand_fitting, with_outputs
from maskwright.plan.following import follow
from maskwright.plan.record import Plan

__all__ = ["Cost", "Measure", "Measurement", "Plan", "decide", "demand_fitting", "estimate", "follow", "with_outputs"]
