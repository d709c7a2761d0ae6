//! RMSprop uphill, in one pass over the parameters.

use rayon::prelude::*;

/// `v <- a v + (1 - a) g^2`, `theta <- theta + rate g / (sqrt(v) + epsilon)`, and theta kept within `[-bound, bound]`.
#[derive(Clone, Copy, Debug)]
pub struct RmsProp {
    /// a, the memory of the mean square.
    pub decay: f32,
    /// Added to the root of the mean square.
    pub epsilon: f32,
    /// The learning rate.
    pub rate: f32,
    /// The largest size of a parameter; infinite for none.
    pub bound: f32,
}

impl RmsProp {
    /// The parameters moved along g, and v.
    pub fn step(self, theta: &[f32], gradient: &[f32], mean_square: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mut moved = vec![0.0; theta.len()];
        let mut square = vec![0.0; theta.len()];
        let grain = super::grain(theta.len(), 4);
        (moved.par_chunks_mut(grain), square.par_chunks_mut(grain))
            .into_par_iter()
            .zip((theta.par_chunks(grain), gradient.par_chunks(grain), mean_square.par_chunks(grain)))
            .for_each(|((moved, square), old)| {
                super::vectorized(
                    #[inline(always)]
                    || self.step_part(old, moved, square),
                );
            });
        (moved, square)
    }

    #[inline(always)]
    fn step_part(self, (theta, gradient, mean_square): (&[f32], &[f32], &[f32]), moved: &mut [f32], square: &mut [f32]) {
        for (new, (&v, &g)) in square.iter_mut().zip(mean_square.iter().zip(gradient)) {
            *new = self.decay * v + (1.0 - self.decay) * (g * g);
        }
        for ((new, &theta), (&v, &g)) in moved.iter_mut().zip(theta).zip(square.iter().zip(gradient)) {
            let free = theta + self.rate * (g / (v.sqrt() + self.epsilon));
            *new = free.clamp(-self.bound, self.bound);
        }
    }
}
