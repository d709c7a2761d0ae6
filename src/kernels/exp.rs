//! The exponential in f32 and sums of many numbers, in a form that the compiler can vectorize.

use rayon::prelude::*;

/// 1.5 x 2^23: added and taken away, it rounds to an integer, which meanwhile stands in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// `e^x` with a relative error below 1.2e-7; 0 below x = -87.3, where the result becomes subnormal, and infinite above 88.3, just before it
/// overflows.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let (factor, n_rounded) = factor_of_exp(x);
    let value = factor * power_of_2(n_rounded);
    let value = if x < -87.3 { 0.0 } else { value };
    if x > 88.3 { f32::INFINITY } else { value }
}

/// `e^x` of many numbers, in their place.
pub fn exp_all(numbers: &mut [f32]) {
    let grain = super::grain(numbers.len(), 8);
    numbers.par_chunks_mut(grain).for_each(|numbers| {
        super::vectorized(
            #[inline(always)]
            || {
                for number in numbers {
                    *number = exp(*number);
                }
            },
        );
    });
}

/// `e^x` as f 2^n, with f from 0.7 to 1.42 and a whole n: of any x whose exponential may lie beyond f32.
#[inline(always)]
pub fn scaled_exp(x: f32) -> (f32, f32) {
    let (factor, n_rounded) = factor_of_exp(x);
    (factor, n_rounded - ROUND)
}

/// `2^n` of a whole n from -126 to 127; 0 below.
#[inline(always)]
pub fn exp2(n: f32) -> f32 {
    power_of_2(if n > -127.0 { n } else { -127.0 } + ROUND)
}

/// f of `e^x = f 2^n`, and n + [`ROUND`].
///
/// `x = n ln 2 + r` with |r| <= ln 2 / 2, and `e^r` by the polynomial of Cephes (S. L. Moshier, `expf`). No multiply-add is fused, so
/// that every processor gives the same bits.
#[inline(always)]
fn factor_of_exp(x: f32) -> (f32, f32) {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut series = 1.987_569_1e-4;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.0e-1] {
        series = series * r + coefficient;
    }
    (series * r * r + r + 1.0, shifted)
}

/// `2^n` of n + [`ROUND`].
#[inline(always)]
fn power_of_2(n_rounded: f32) -> f32 {
    f32::from_bits(n_rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23)
}

/// `e^x` in f64 of x up to 708, with a relative error below 5e-16; 0 below x = -708.
///
/// `x = n ln 2 + r` with |r| <= ln 2 / 2, and `e^r` by its Taylor series up to r^13 / 13!, which leaves 4e-18. No multiply-add is fused, so that every
/// processor gives the same bits.
#[inline(always)]
pub fn exp_f64(x: f64) -> f64 {
    /// 1.5 x 2^52.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // ln 2 in two parts, the first with 21 zero bits at its end, so that n times it is exact.
    const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
    const LN_2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
    const SERIES: [f64; 12] = [
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        1.0 / 2.0,
    ];
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let series = SERIES.into_iter().fold(0.0, |sum, coefficient| sum * r + coefficient);
    let power = f64::from_bits(shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(1023) << 52);
    let value = (series * r * r + r + 1.0) * power;
    if x < -708.0 { 0.0 } else { value }
}

/// `s(a) = 1 / (1 + e^-a)` and `e^-|a|`.
#[inline(always)]
pub fn sigmoid(a: f32) -> (f32, f32) {
    let e = exp(-a.abs());
    let larger = 1.0 / (1.0 + e);
    (if a >= 0.0 { larger } else { e * larger }, e)
}

/// The sum of many numbers, in f64, as eight sums side by side.
#[inline(always)]
pub fn sum(numbers: &[f32]) -> f64 {
    let mut lanes = [0.0; 8];
    let groups = numbers.chunks_exact(lanes.len());
    let rest: f64 = groups.remainder().iter().map(|&number| f64::from(number)).sum();
    for group in groups {
        for (lane, number) in lanes.iter_mut().zip(group) {
            *lane += number;
        }
    }
    rest + lanes.into_iter().map(f64::from).sum::<f64>()
}

/// The largest of many numbers, minus infinity for none.
#[inline(always)]
pub fn largest(numbers: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; 8];
    let groups = numbers.chunks_exact(lanes.len());
    let rest = groups.remainder().iter().copied().fold(f32::NEG_INFINITY, larger);
    for group in groups {
        for (lane, &number) in lanes.iter_mut().zip(group) {
            *lane = larger(*lane, number);
        }
    }
    lanes.into_iter().fold(rest, larger)
}

/// The larger of two numbers, as an instruction that vectorizes; a second that is not a number is passed over.
#[inline(always)]
pub fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}
