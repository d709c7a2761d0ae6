//! Sums of many numbers in f32, some of them side by side, in an order that no processor changes.

/// The sum of many numbers.
#[inline(always)]
pub fn sum(numbers: &[f32]) -> f32 {
    let (whole, rest) = sum_in_lanes::<32>(numbers);
    let (more, rest) = sum_in_lanes::<8>(rest);
    let mut total = whole + more;
    for number in rest {
        total += number;
    }
    total
}

#[inline(always)]
fn sum_in_lanes<const LANES: usize>(numbers: &[f32]) -> (f32, &[f32]) {
    let (groups, rest) = numbers.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for group in groups {
        for (lane, number) in lanes.iter_mut().zip(group) {
            *lane += number;
        }
    }
    (if groups.is_empty() { 0.0 } else { sum_of(lanes) }, rest)
}

/// The sums of columns, in f64, of rows of as many numbers.
pub fn column_sums<'a>(rows: impl Iterator<Item = &'a [f32]>, count: usize) -> Vec<f64> {
    super::vectorized(
        #[inline(always)]
        || {
            let mut sums = vec![0.0; count];
            for row in rows {
                for (sum, &number) in sums.iter_mut().zip(row) {
                    *sum += f64::from(number);
                }
            }
            sums
        },
    )
}

/// Multiplies numbers by others, one by one, and returns the sum of the products.
#[inline(always)]
pub fn multiply(numbers: &mut [f32], by: &[f32]) -> f32 {
    update(
        numbers,
        by,
        #[inline(always)]
        |number, by| {
            *number *= by;
            *number
        },
    )
}

/// Adds numbers to others, one by one, and returns the sum of those that are added.
#[inline(always)]
pub fn fold(first: &mut [f32], other: &[f32]) -> f32 {
    update(
        first,
        other,
        #[inline(always)]
        |first, other| {
            *first += other;
            other
        },
    )
}

/// Updates numbers by others, one by one, and returns the sum of what the updates give.
#[inline(always)]
fn update(numbers: &mut [f32], by: &[f32], with: impl Fn(&mut f32, f32) -> f32) -> f32 {
    let (whole, numbers, by) = update_in_lanes::<32>(numbers, by, &with);
    let (more, numbers, by) = update_in_lanes::<8>(numbers, by, &with);
    let mut total = whole + more;
    for (number, &by) in numbers.iter_mut().zip(by) {
        total += with(number, by);
    }
    total
}

#[inline(always)]
fn update_in_lanes<'a, const LANES: usize>(
    numbers: &'a mut [f32],
    by: &'a [f32],
    with: &impl Fn(&mut f32, f32) -> f32,
) -> (f32, &'a mut [f32], &'a [f32]) {
    let ((groups, rest), (by_groups, by_rest)) = (numbers.as_chunks_mut::<LANES>(), by.as_chunks::<LANES>());
    let mut lanes = [0.0; LANES];
    for (numbers, by) in groups.iter_mut().zip(by_groups) {
        for ((lane, number), &by) in lanes.iter_mut().zip(numbers).zip(by) {
            *lane += with(number, by);
        }
    }
    (if by_groups.is_empty() { 0.0 } else { sum_of(lanes) }, rest, by_rest)
}

/// Adds S runs of numbers up in the first, and returns the sum of all, each multiplied by its run's code.
#[inline(always)]
pub fn fold_all(runs: &mut [f32], codes: &[f32]) -> f32 {
    let rest = runs.len() / codes.len();
    if rest == 1 {
        let whole = sum(runs);
        let total = multiply(runs, codes);
        runs[0] = whole;
        return total;
    }
    let (mut total, mut first) = (0.0, 0);
    while first < rest {
        match rest - first {
            16.. => {
                total += fold_lanes_of_all::<16>(runs, codes, first);
                first += 16;
            }
            8.. => {
                total += fold_lanes_of_all::<8>(runs, codes, first);
                first += 8;
            }
            _ => {
                total += fold_lanes_of_all::<1>(runs, codes, first);
                first += 1;
            }
        }
    }
    total
}

#[inline(always)]
fn fold_lanes_of_all<const LANES: usize>(runs: &mut [f32], codes: &[f32], first: usize) -> f32 {
    let rest = runs.len() / codes.len();
    let (mut plain, mut coded) = ([0.0; LANES], [0.0; LANES]);
    for (run, code) in runs.chunks_exact(rest).zip(codes) {
        let numbers = &run[first..first + LANES];
        for ((plain, coded), number) in plain.iter_mut().zip(&mut coded).zip(numbers) {
            *plain += number;
            *coded += code * number;
        }
    }
    runs[first..first + LANES].copy_from_slice(&plain);
    sum_of(coded)
}

/// The sum of lanes, half by half.
#[inline(always)]
fn sum_of<const LANES: usize>(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        let (first, second) = lanes.split_at_mut(half);
        for (first, second) in first.iter_mut().zip(second) {
            *first += *second;
        }
        half /= 2;
    }
    lanes[0]
}
