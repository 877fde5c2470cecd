//! A line of the table: the goal, the measured figure, and whether the run fails.

/// What the measured figure is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// At least this fraction of the bare figure of the same run.
    AtLeast(f64),
    /// At most this many times the bare figure of the same run.
    AtMost(f64),
    /// At most the bound itself. Machines differ: a figure over the bound is reported, and one over twice the bound fails the run.
    Figure,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) work: String,
    pub(crate) goal: Goal,
    /// The unit of `bound` and `measured`: ` /s`, ` ms`, ..
    pub(crate) unit: &'static str,
    pub(crate) bound: f64,
    /// The bound after an empty call of the driver, which every provider gets too. The goal is compared with this bound.
    pub(crate) behind: Option<f64>,
    pub(crate) measured: f64,
    /// Ratio to the bound; the median over the rounds where all sides were measured.
    pub(crate) ratio: f64,
    /// Ratio to `behind`, or the same as `ratio`.
    pub(crate) counts: f64,
}

/// Result of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pass,
    /// Over an absolute bound, at most twice the bound.
    Over,
    /// Fails the run.
    Miss,
}

impl Line {
    /// A figure with a bound of its own.
    pub(crate) fn figure(work: impl Into<String>, unit: &'static str, bound: f64, measured: f64) -> Self {
        let ratio = measured / bound;
        Self {
            work: work.into(),
            goal: Goal::Figure,
            unit,
            bound,
            behind: None,
            measured,
            ratio,
            counts: ratio,
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        let (holds, fails) = match self.goal {
            Goal::AtLeast(least) => (self.counts >= least, true),
            Goal::AtMost(most) => (self.counts <= most, true),
            Goal::Figure => (self.ratio <= 1.0, self.ratio.is_nan() || self.ratio > 2.0),
        };
        match (holds, fails) {
            (true, _) => Outcome::Pass,
            (false, true) => Outcome::Miss,
            (false, false) => Outcome::Over,
        }
    }

    /// The line as a row of a Markdown table.
    pub(crate) fn row(&self) -> String {
        let Self { work, unit, bound, measured, ratio, counts, .. } = self;
        let behind = self.behind.map_or("-".into(), |behind| short(behind) + unit);
        let asked = match self.goal {
            Goal::AtLeast(least) => format!("at least {least:.2}"),
            Goal::AtMost(most) => format!("at most {most:.2}"),
            Goal::Figure => "the bound".into(),
        };
        let outcome = match self.outcome() {
            Outcome::Pass => "pass",
            Outcome::Over => "over, within twice",
            Outcome::Miss => "**miss**",
        };
        let [bound, measured] = [*bound, *measured].map(short);
        format!(
            "| {work} | {bound}{unit} | {behind} | {measured}{unit} | {ratio:.2} | {counts:.2} | {asked} | {outcome} |"
        )
    }
}

/// Three significant digits; no fraction from 100 on.
pub(crate) fn short(value: f64) -> String {
    let whole = value.fract() == 0.0;
    match value.abs() {
        size if size >= 100.0 || whole => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(goal: Goal, bound: f64, measured: f64) -> Outcome {
        Line { goal, ..Line::figure("", "", bound, measured) }.outcome()
    }

    #[test]
    fn a_ratio_to_bare_fails_the_run_when_it_is_missed() {
        assert_eq!(outcome(Goal::AtLeast(0.8), 100.0, 80.0), Outcome::Pass);
        assert_eq!(outcome(Goal::AtLeast(0.8), 100.0, 79.9), Outcome::Miss);
        assert_eq!(outcome(Goal::AtMost(1.15), 2.0, 2.3), Outcome::Pass);
        assert_eq!(outcome(Goal::AtMost(1.15), 2.0, 2.31), Outcome::Miss);
    }

    #[test]
    fn a_figure_fails_the_run_past_twice_its_bound() {
        let outcomes =
            [50.0, 50.1, 100.0, 100.1, f64::NAN].map(|measured| outcome(Goal::Figure, 50.0, measured));
        assert_eq!(outcomes, [Outcome::Pass, Outcome::Over, Outcome::Over, Outcome::Miss, Outcome::Miss]);
    }

    #[test]
    fn a_row_shows_every_figure() {
        let line = Line::figure("cold", " /s", 661.2, 500.0);
        let row = Line { goal: Goal::AtLeast(0.8), behind: Some(620.4), counts: 0.806, ..line }.row();
        assert_eq!(row, "| cold | 661 /s | 620 /s | 500 /s | 0.76 | 0.81 | at least 0.80 | pass |");
        assert_eq!([0.254, 14.84, 2060.4, 20.0].map(short), ["0.25", "14.8", "2060", "20"]);
    }
}
