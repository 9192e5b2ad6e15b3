//! How much a market moves: the deviation of its returns, annualised.

use super::{float, mean};
use crate::market::Bar;

/// How many bars of 4 hours a year has.
pub const YEAR_OF_4H: f64 = 2190.0;

/// How much of the variance before stays with each return, and how much comes from that return.
const DECAY: [f64; 2] = [0.94, 0.06];
/// How much of the whole is the part in which new returns count more, and how much the other.
const SHARES: [f64; 2] = [0.7, 0.3];

/// The volatility of these bars, of which there are `per_year` in a year: 0.7 of that by an average
/// in which new returns count more, 0.3 of that by the deviation of returns with their volumes. A return
/// belongs to the bar at whose close it ends, so of the oldest only the close counts. `None` for fewer than two bars.
pub fn hybrid(bars: &[Bar], per_year: f64) -> Option<f64> {
    let (_, after) = bars.split_first().filter(|(_, after)| !after.is_empty())?;
    let closes: Vec<f64> = bars.iter().map(|bar| float(bar.close)).collect();
    let volumes: Vec<f64> = after.iter().map(|bar| float(bar.volume)).collect();
    let returns = returns(&closes);
    let [one, other] = SHARES;
    Some(one * ewma(&returns, per_year) + other * traditional(&returns, &volumes, per_year))
}

/// The logarithmic returns from one close to the next.
fn returns(closes: &[f64]) -> Vec<f64> {
    closes.iter().zip(closes.iter().skip(1)).map(|(before, close)| libm::log(close / before)).collect()
}

/// The root of the variance in which each return counts 0.06 and the one before it 0.94 of that; the first one is the seed.
fn ewma(returns: &[f64], per_year: f64) -> f64 {
    let mut squares = returns.iter().map(|value| value * value);
    let seed = squares.next().unwrap_or_default();
    let [stays, comes] = DECAY;
    let variance = squares.fold(seed, |variance, square| stays * variance + comes * square);
    libm::sqrt(variance * per_year)
}

/// The deviation, over all of them, of the returns, each as often as its volume is of the mean volume; without any volume
/// all alike.
fn traditional(returns: &[f64], volumes: &[f64], per_year: f64) -> f64 {
    let usual = mean(volumes);
    let weigh = |(value, volume): (&f64, &f64)| if usual > 0.0 { value * (volume / usual) } else { *value };
    let weighted: Vec<f64> = returns.iter().zip(volumes).map(weigh).collect();
    let middle = mean(&weighted);
    let squares: Vec<f64> = weighted.iter().map(|value| (value - middle) * (value - middle)).collect();
    libm::sqrt(per_year) * libm::sqrt(mean(&squares))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 5e-7, "{value} is not {expected}");
    }

    /// By hand: closes of four days, annualised by the days of trading of a year.
    #[test]
    fn ewma_follows_the_squares_from_the_first_one_on() {
        let returns = returns(&[600.0, 606.0, 603.0, 609.0]);
        for (count, expected) in [(1, 0.157_957), (2, 0.154_356), (3, 0.154_526)] {
            near(ewma(&returns[..count], 252.0), expected);
        }
        near(ewma(&[], 252.0), 0.0);
    }

    /// By hand: returns of 1, 2 and 3 %, volumes of 1, 2 and 3: weights ½, 1 and 1½, products 0.5, 2 and 4.5 %, of which the
    /// mean is 2⅓ % and the variance 98/36 of 10⁻⁴.
    #[test]
    fn volumes_weigh_and_none_weighs_nothing() {
        let returns = [0.01, 0.02, 0.03];
        near(traditional(&returns, &[1.0, 2.0, 3.0], 4.0), 2.0 * (98.0_f64 / 36.0).sqrt() / 100.0);
        near(traditional(&returns, &[7.0, 7.0, 7.0], 4.0), 2.0 * (2.0_f64 / 3.0).sqrt() / 100.0);
        near(traditional(&returns, &[0.0; 3], 4.0), 2.0 * (2.0_f64 / 3.0).sqrt() / 100.0);
    }
}
