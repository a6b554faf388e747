"""Intervals, paired tests and calibration measures: the one statistics package; numpy only."""

from trimtab.stats.betting import Wealth, bet, fixed_sequence, upper_bound
from trimtab.stats.calibration import ReliabilityBin, auroc, auroc_difference, ece, reliability
from trimtab.stats.intervals import (
    Estimate,
    binomial_cdf,
    clopper_pearson,
    paired_proportion_difference,
    proportion,
    quantile,
    sign_test,
    wilson,
)
from trimtab.stats.resampling import bootstrap, bootstrap_means, interval, paired_bootstrap

__all__ = [
    "Estimate",
    "ReliabilityBin",
    "Wealth",
    "auroc",
    "auroc_difference",
    "bet",
    "binomial_cdf",
    "bootstrap",
    "bootstrap_means",
    "clopper_pearson",
    "ece",
    "fixed_sequence",
    "interval",
    "paired_bootstrap",
    "paired_proportion_difference",
    "proportion",
    "quantile",
    "reliability",
    "sign_test",
    "upper_bound",
    "wilson",
]
