//! Medians and percentiles.

use std::time::Duration;

/// The median; for an even number of values the mean of the middle two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count => (values[(count - 1) / 2] + values[count / 2]) / 2.0,
    }
}

/// The smallest value of `sorted` that `percent` percent of the values do not exceed.
pub(crate) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_whatever_the_order() {
        assert_eq!(median([9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median([4.0, 1.0, 2.0, 9.0]), 3.0);
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_millis).collect();
        let found = [50, 99, 100].map(|percent| percentile(&times, percent).as_millis());
        assert_eq!(found, [100, 198, 200]);
        assert_eq!(percentile(&times[..1], 99).as_millis(), 1);
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
