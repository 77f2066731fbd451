//! How figures are taken: the variants take turns, so that what disturbs the machine disturbs all of them alike.
//!
//! One sample is the mean over a burst of runs, after one run that is not counted: caches and branch predictors are
//! those of a lane that does one thing. A median over many samples stands for what it costs; the spread beside it says
//! how far to trust it. The first rounds are not counted either: memories grow, pages are mapped, clocks rise.

use std::time::Duration;

/// How often.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize, clap::Args)]
pub(crate) struct Method {
    /// Samples of each variant
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub(crate) rounds: u32,

    /// Runs that one sample is the mean of
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) burst: u32,

    /// Rounds before the first that counts
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) warm_up: u32,
}

/// Smallest, tenth percentile, median and ninetieth percentile of the samples.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) p10: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
}

impl Spread {
    /// Of samples in any order; zeros of none.
    pub(crate) fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| {
            let last = samples.len().saturating_sub(1);
            samples.get((share * last as f64).round() as usize).copied().unwrap_or_default()
        };
        Self { min: at(0.0), p10: at(0.1), p50: at(0.5), p90: at(0.9) }
    }
}

/// Something to measure: one run tells how long each of its `N` parts took.
pub(crate) trait Variant<const N: usize> {
    /// Units of work in one run, records for instance: figures are per unit.
    fn units(&self) -> usize;

    /// # Errors
    /// What ends the measurement.
    fn run(&mut self) -> anyhow::Result<[Duration; N]>;
}

/// Nanoseconds per unit, by variant: first each part, then their sum.
pub(crate) struct Figures<const N: usize> {
    pub(crate) parts: [Spread; N],
    pub(crate) total: Spread,
}

/// Measures all variants together; answers in their order.
///
/// # Errors
/// The first error of a variant.
pub(crate) fn measure<const N: usize>(
    method: Method,
    variants: &mut [impl Variant<N>],
) -> anyhow::Result<Vec<Figures<N>>> {
    let mut samples: Vec<Vec<[f64; N]>> = vec![vec![]; variants.len()];
    for round in 0..method.warm_up + method.rounds {
        for turn in 0..variants.len() {
            // Another one begins each round: none always follows the same one.
            let index = (turn + round as usize) % variants.len();
            let sample = burst(method.burst, &mut variants[index])?;
            if round >= method.warm_up {
                samples[index].push(sample);
            }
        }
    }
    Ok(samples.iter().map(|samples| figures(samples)).collect())
}

fn burst<const N: usize>(runs: u32, variant: &mut impl Variant<N>) -> anyhow::Result<[f64; N]> {
    variant.run()?;
    let mut sums = [Duration::ZERO; N];
    for _ in 0..runs {
        let parts = variant.run()?;
        sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
    }
    let units = (runs as usize * variant.units()) as f64;
    Ok(sums.map(|sum| sum.as_nanos() as f64 / units))
}

fn figures<const N: usize>(samples: &[[f64; N]]) -> Figures<N> {
    let part = |index: usize| Spread::of(samples.iter().map(|sample| sample[index]).collect());
    Figures {
        parts: std::array::from_fn(part),
        total: Spread::of(samples.iter().map(|sample| sample.iter().sum()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_read_off_the_sorted_samples() {
        let spread = Spread::of((0..=100).rev().map(f64::from).collect());
        assert_eq!(spread, Spread { min: 0.0, p10: 10.0, p50: 50.0, p90: 90.0 });
        assert_eq!(Spread::of(vec![]), Spread { min: 0.0, p10: 0.0, p50: 0.0, p90: 0.0 });
    }

    /// Takes as long as it says, and counts its runs.
    struct Steady {
        runs: u32,
        micros: [u64; 2],
    }

    impl Variant<2> for Steady {
        fn units(&self) -> usize {
            10
        }

        fn run(&mut self) -> anyhow::Result<[Duration; 2]> {
            self.runs += 1;
            Ok(self.micros.map(Duration::from_micros))
        }
    }

    #[test]
    fn figures_are_per_unit_and_every_variant_has_its_turns() {
        let method = Method { rounds: 20, burst: 3, warm_up: 2 };
        let mut variants = [Steady { runs: 0, micros: [1, 2] }, Steady { runs: 0, micros: [5, 0] }];
        let figures = measure(method, &mut variants).expect("figures");
        assert_eq!(variants.map(|variant| variant.runs), [(20 + 2) * (3 + 1); 2]);
        let medians = |figures: &Figures<2>| [figures.parts[0].p50, figures.parts[1].p50, figures.total.p90];
        assert_eq!(medians(&figures[0]), [100.0, 200.0, 300.0]);
        assert_eq!(medians(&figures[1]), [500.0, 0.0, 500.0]);
    }
}
