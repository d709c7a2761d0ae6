//! A training step of mixtures and directed models, whose forward transition is the posterior of pi and q.

use burn::module::Param;
use burn::tensor::Tensor;

use super::step::{ascend, ascend_bias};
use crate::gradient::StateImages;
use crate::gradient::directed::{DirectedGradient, directed};
use crate::model::Model;
use crate::ops::{ChainBackend, DeviceImages, RmsProp};

/// How far a free pi goes at first, at each step, to what the minibatch says.
const SHARE_OF_A_BATCH: f64 = 0.1;

/// What pi may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prior {
    /// Any distribution: a mixture.
    Free,
    /// Of independent factors: a directed model.
    OfFactors,
}

/// Such a model in training.
pub struct Posterior<B: ChainBackend> {
    prior: Prior,
    /// Of the present parameters: an update needs them for g, and the next step again.
    states: StateImages<B>,
}

impl<B: ChainBackend> Posterior<B> {
    /// Begins, or goes on, with a model.
    pub fn new(prior: Prior, model: &Model<B>) -> Self {
        Self {
            prior,
            states: StateImages::of(model),
        }
    }

    /// Moves A and a uphill, and pi: uphill too if its factors are independent, and otherwise a part of the way to `rho`,
    ///
    /// ```text
    /// pi_k <- ( 1 - e ) pi_k + e rho_k,      e = 0.1 schedule
    /// ```
    ///
    /// which is expectation and maximization by minibatches (O. Cappe and E. Moulines, J. R. Stat. Soc. B 71, 593 (2009)). `schedule` is the learning rate
    /// in units of the first one: as it falls, pi becomes a mean over more and more minibatches. W and g follow, so that p is the posterior.
    pub fn step(
        &mut self,
        model: &mut Model<B>,
        mean_squares: &mut Model<B>,
        images: &DeviceImages<B>,
        [forward, backward]: [RmsProp; 2],
        schedule: f64,
    ) {
        let gradient = directed(model, &self.states, images);
        let before = self.states.log_dark();
        ascend(backward, &mut model.backward, gradient.backward.clone(), &mut mean_squares.backward);
        ascend_bias(
            backward,
            &mut model.visible_bias,
            gradient.visible_bias.clone(),
            &mut mean_squares.visible_bias,
        );
        model.forward = Param::initialized(model.forward.id, model.backward.val().transpose());
        self.states = StateImages::of(model);
        match self.prior {
            Prior::Free => self.mix(model, &gradient, SHARE_OF_A_BATCH * schedule),
            Prior::OfFactors => {
                let excess = model.last_codes().gather(gradient.log_rho.exp() - gradient.log_pi.exp());
                ascend(
                    forward,
                    &mut model.forward_bias,
                    excess.squeeze_dim(0),
                    &mut mean_squares.forward_bias,
                );
                self.follow(model, before);
            }
        }
    }

    /// The step of a free pi.
    fn mix(&self, model: &mut Model<B>, gradient: &DirectedGradient<B>, share: f64) {
        let old = gradient.log_pi.clone() + (1.0 - share).ln();
        let new = gradient.log_rho.clone() + share.ln();
        let largest = old.clone().max_pair(new.clone());
        let log_pi = ((old - largest.clone()).exp() + (new - largest.clone()).exp()).log() + largest;
        set_log_weights(model, log_pi + self.states.log_dark());
    }

    /// Keeps beta where it is when `ln q(0|k)`, `[1, L]`, was another `before`.
    fn follow(&self, model: &mut Model<B>, before: Tensor<B, 2>) {
        let log_dark = self.states.log_dark();
        match &model.last_codes().factors {
            Some(factors) => {
                let log_weights = factors.log_weights.clone() + log_dark;
                set_log_weights(model, log_weights);
            }
            // With one-hot states b holds both.
            None => {
                let bias = model.forward_bias.val() + (log_dark - before).squeeze_dim(0);
                model.forward_bias = Param::initialized(model.forward_bias.id, bias);
            }
        }
    }
}

fn set_log_weights<B: ChainBackend>(model: &mut Model<B>, log_weights: Tensor<B, 2>) {
    if let Some(parameter) = &mut model.log_weights {
        *parameter = Param::initialized(parameter.id, log_weights.squeeze_dim(0));
    }
}
