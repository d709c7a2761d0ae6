//! The steps whose checkpoints are kept: evenly spaced in the logarithm of the step.

/// Is the checkpoint of this step kept? Those of 0 and of `round(10^(m / per_decade))` are, for m = 0, 1, 2, ...
pub fn is_kept(step: u64, per_decade: u32) -> bool {
    if step == 0 {
        return true;
    }
    let kept = |m: f64| 10.0_f64.powf(m / f64::from(per_decade)).round() as u64;
    let m = ((step as f64).log10() * f64::from(per_decade)).round();
    // Near the start several m round to one step; the nearest m and its neighbours cover all of them.
    [m - 1.0, m, m + 1.0].into_iter().any(|m| m >= 0.0 && kept(m) == step)
}
