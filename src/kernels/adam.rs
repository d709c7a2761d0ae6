//! Adam uphill, in one pass over the parameters.

use rayon::prelude::*;

/// `m <- a m + (1 - a) g`, `v <- b v + (1 - b) g^2`, `theta <- theta + rate m / (1 - a^t) / (sqrt(v / (1 - b^t)) + epsilon)` in step t, and theta kept
/// within `[-bound, bound]` (D. P. Kingma and J. Ba, ICLR 2015).
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// a, the memory of the mean.
    pub decay: f32,
    /// b, the memory of the mean square.
    pub square_decay: f32,
    /// Added to the root of the mean square.
    pub epsilon: f32,
    /// The learning rate.
    pub rate: f32,
    /// `1 - a^t`.
    pub mean_seen: f32,
    /// `1 - b^t`.
    pub square_seen: f32,
    /// The largest size of a parameter; infinite for none.
    pub bound: f32,
}

/// Parameters with what Adam remembers of them.
#[derive(Clone, Debug)]
pub struct Moved<T> {
    /// The parameters.
    pub theta: T,
    /// m.
    pub mean: T,
    /// v.
    pub mean_square: T,
}

impl Adam {
    /// The parameters moved along g, with their m and v.
    pub fn step(self, old: Moved<&[f32]>, gradient: &[f32]) -> Moved<Vec<f32>> {
        let zeros = || vec![0.0; gradient.len()];
        let (mut theta, mut mean, mut mean_square) = (zeros(), zeros(), zeros());
        let grain = super::grain(gradient.len(), 4);
        (
            theta.par_chunks_mut(grain),
            mean.par_chunks_mut(grain),
            mean_square.par_chunks_mut(grain),
        )
            .into_par_iter()
            .zip((
                old.theta.par_chunks(grain),
                old.mean.par_chunks(grain),
                old.mean_square.par_chunks(grain),
            ))
            .zip(gradient.par_chunks(grain))
            .for_each(|((new, old), gradient)| {
                super::vectorized(
                    #[inline(always)]
                    || self.step_part(new, old, gradient),
                );
            });
        Moved { theta, mean, mean_square }
    }

    #[inline(always)]
    fn step_part(
        self,
        (theta, mean, square): (&mut [f32], &mut [f32], &mut [f32]),
        (old_theta, old_mean, old_square): (&[f32], &[f32], &[f32]),
        gradient: &[f32],
    ) {
        for (new, (&m, &g)) in mean.iter_mut().zip(old_mean.iter().zip(gradient)) {
            *new = self.decay * m + (1.0 - self.decay) * g;
        }
        for (new, (&v, &g)) in square.iter_mut().zip(old_square.iter().zip(gradient)) {
            *new = self.square_decay * v + (1.0 - self.square_decay) * (g * g);
        }
        for ((new, &theta), (&m, &v)) in theta.iter_mut().zip(old_theta).zip(mean.iter().zip(&*square)) {
            let root = (v / self.square_seen).sqrt() + self.epsilon;
            let free = theta + self.rate * (m / self.mean_seen / root);
            *new = free.clamp(-self.bound, self.bound);
        }
    }
}
