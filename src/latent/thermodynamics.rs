//! How far a steady state is from equilibrium: fluxes, currents, entropy production.

use ndarray::{Array1, Array2};

use super::SteadyState;

impl SteadyState {
    /// `ln F_ij` of the flux `F_ij = pi_i T_ij`: how often the chain steps from i to j, per step.
    pub fn log_flux(&self, i: usize, j: usize) -> f64 {
        self.log_pi()[i] + self.log_transition()[[i, j]]
    }

    /// F, `[L, L]`; all of it sums to 1.
    pub fn flux(&self) -> Array2<f64> {
        self.table(|i, j| self.log_flux(i, j).exp())
    }

    /// The net current `J_ij = F_ij - F_ji`, `[L, L]`, per step: antisymmetric, and its rows sum to zero.
    pub fn currents(&self) -> Array2<f64> {
        self.table(|i, j| self.current(i, j))
    }

    /// The current from i to j.
    pub fn current(&self, i: usize, j: usize) -> f64 {
        // From the larger flux, so that small differences keep their digits and J_ji is -J_ij to the last bit.
        match self.log_flux_ratio(i, j) {
            ratio if ratio >= 0.0 => -self.log_flux(i, j).exp() * (-ratio).exp_m1(),
            ratio => self.log_flux(j, i).exp() * ratio.exp_m1(),
        }
    }

    /// What each pair of states contributes to the entropy production, nats per step, `[L, L]`, symmetric: `J_ij ln( F_ij / F_ji )`.
    pub fn pair_entropy_production(&self) -> Array2<f64> {
        self.table(|i, j| self.pair(i, j))
    }

    /// Entropy production, nats per step (Schnakenberg, Rev. Mod. Phys. 48, 571 (1976)),
    ///
    /// ```text
    /// sigma = 1/2 sum_ij J_ij ln( F_ij / F_ji ),     F_ij = pi_i T_ij,   J_ij = F_ij - F_ji
    /// ```
    ///
    /// It is never negative, zero if and only if the chain is reversible, and infinite where a step that happens has no way back.
    pub fn entropy_production(&self) -> f64 {
        (0..self.states()).flat_map(|i| (0..i).map(move |j| self.pair(i, j))).sum()
    }

    /// Mean probability to stay, `sum_k pi_k T_kk`; state by state it is the diagonal of T.
    pub fn self_transition(&self) -> f64 {
        (0..self.states()).map(|k| self.log_flux(k, k).exp()).sum()
    }

    /// `sum_k pi_k value_k`; a state without weight does not count, whatever its value.
    pub fn mean(&self, values: &Array1<f64>) -> f64 {
        let weighted = self.log_pi().iter().zip(values).filter(|(log_pi, _)| log_pi.is_finite());
        weighted.map(|(log_pi, value)| log_pi.exp() * value).sum()
    }

    fn pair(&self, i: usize, j: usize) -> f64 {
        match self.log_flux_ratio(i, j) {
            0.0 => 0.0,
            ratio => self.current(i, j) * ratio,
        }
    }

    /// `ln( F_ij / F_ji )`; 0 where neither step happens, and where what differs is the rounding of the two logarithms.
    pub(super) fn log_flux_ratio(&self, i: usize, j: usize) -> f64 {
        let (there, back) = (self.log_flux(i, j), self.log_flux(j, i));
        let rounding = 4.0 * f64::EPSILON * (1.0 + there.abs().min(back.abs()));
        // Of two infinities the difference would be no number.
        if there == back || (there - back).abs() <= rounding {
            0.0
        } else {
            there - back
        }
    }

    fn table(&self, entry: impl Fn(usize, usize) -> f64) -> Array2<f64> {
        Array2::from_shape_fn((self.states(), self.states()), |(i, j)| entry(i, j))
    }
}
