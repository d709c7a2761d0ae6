//! Gradients that need the latent kernel: from images drawn anew in every state, with no persistent chain.
//!
//! M images of each state give T as means of p(k|x), and pi as its steady state. Every state is seen, however rarely the chain visits
//! it, and weighted by its pi: which keeps the variance of the [complete gradient](super::functional) low.

use burn::tensor::{Int, Tensor, TensorData};
use ndarray::{Array1, Array2, Axis};

use super::earlier::EarlierLayers;
use super::functional::{Contributions, Objective, StratifiedSample};
use super::{Data, Gradient, Shares, StateImages, of_codes};
use crate::codes::Codes;
use crate::model::{Model, matrix, to_matrix, to_vector, vector};
use crate::ops::{ChainBackend, DeviceImages};
use crate::random::Draws;

/// `each` images from `q(.|k)` of every state k, those of state 0 first.
pub fn draw<B: ChainBackend>(model: &Model<B>, each: usize, draws: Draws) -> DeviceImages<B> {
    let latent = model.layers.states();
    let states: Vec<i32> = (0..latent * each).map(|n| (n / each) as i32).collect();
    let count = states.len();
    let states = Tensor::<B, 1, Int>::from_data(TensorData::new(states, [count]), &model.forward_bias.device());
    model.draw_visible(states, draws)
}

/// The gradient of the log-likelihood plus `entropy_weight` times the latent entropy production and `path_entropy_weight` times that of the path, at
/// a minibatch of `images` and with the model's own images `drawn` by [`draw`], two or more of each state.
///
/// Entropy production rests on rare transitions, which few draws overstate; its gradient here is that of the estimate.
pub fn stratified<B: ChainBackend>(
    model: &Model<B>,
    images: &DeviceImages<B>,
    drawn: &DeviceImages<B>,
    objective: Objective,
) -> Gradient<B> {
    let (codes, latent) = (model.last_codes(), model.layers.states());
    let device = model.forward_bias.device();
    let on_host = |logs: Tensor<B, 2>| to_matrix(logs).mapv(f64::from);
    let (earlier, log_p) = EarlierLayers::below_last(
        on_host(model.log_forward_to_first(drawn).full()),
        model.log_between().into_iter().map(on_host).collect(),
    );
    let count = log_p.nrows();
    let each = count / latent;
    let Ok(strata) = StratifiedSample::new(log_p, Array1::from_elem(count, -(each as f64).ln())) else {
        // The parameters are not finite, and so neither is their gradient.
        return Gradient::nowhere(model);
    };

    let log_pi = strata.steady().log_pi().mapv(|log_pi| log_pi as f32);
    let shares = Shares::of(
        Data::of(StateImages::of(model), model, images),
        vector(&log_pi, &device).unsqueeze(),
    );
    let u = to_vector(shares.log_u.clone().squeeze_dim::<1>(0)).mapv(|log_u| f64::from(log_u).exp());
    let Contributions { mut forward, mut backward } = strata.contributions(u.view(), objective);
    let on_device = |weights: &Array2<f64>| matrix(&weights.mapv(|weight| weight as f32), &device);
    let one_layer = model.between().is_empty();
    // What A has of the path's term D with a minus, and W as it is; in a deeper chain by way of the other layers.
    let mut opposite = None;
    if objective.path_entropy_weight != 0.0 {
        let path = strata.path_contributions(&path_terms(model, drawn, strata.log_p()));
        forward.scaled_add(objective.path_entropy_weight, &path.forward);
        backward.scaled_add(objective.path_entropy_weight, &path.backward);
        let own = path.opposite * objective.path_entropy_weight;
        if !one_layer {
            forward += &own;
        }
        opposite = Some(B::transposed_product(drawn, codes.gather(on_device(&own)))); //      [D, H]
    }
    let (forward, between) = earlier.pull_back(strata.log_p(), forward);

    // The baseline was made of the M images themselves.
    let unbiased = each as f64 / (each - 1) as f64;
    let by_image = Array2::from_shape_fn((count, 1), |(n, _)| (unbiased * backward[n]) as f32);
    let by_state = Array2::from_shape_fn((count, latent), |(n, k)| if n / each == k { by_image[[n, 0]] } else { 0.0 });
    let bias = forward.sum_axis(Axis(0)).mapv(|sum| sum as f32);
    let mut of_forward = B::transposed_product(drawn, model.codes[0].gather(on_device(&forward)));
    let mut of_backward = B::transposed_product(drawn, codes.gather(matrix(&by_state, &device)));
    if let Some(opposite) = opposite {
        if one_layer {
            of_forward = of_forward + opposite.clone();
        }
        of_backward = of_backward - opposite;
    }
    let (of_data, visible_bias) = shares.residuals(model, images);
    Gradient {
        forward: of_forward,
        forward_bias: model.codes[0].gather(vector(&bias, &device).unsqueeze()).squeeze_dim(0),
        between: (between.iter().enumerate())
            .map(|(number, excess)| of_codes(model, number, on_device(excess)))
            .collect(),
        backward: of_data + of_backward.transpose(),
        visible_bias: visible_bias.map(|bias| bias + B::transposed_product(drawn, matrix(&by_image, &device)).squeeze_dim(1)),
        tanh: None,
    }
}

/// `f_k(x)` of [`super::path`], `[N, L]`, of images and their `ln p(k|x)`: how much more the way up sees of each state in them than the way down. What is the
/// same in all states, or in all images, is left out.
fn path_terms<B: ChainBackend>(model: &Model<B>, images: &DeviceImages<B>, log_p: &Array2<f64>) -> Array2<f64> {
    let spread = |table: Tensor<B, 2>| {
        let zeros = Tensor::zeros([1, table.dims()[1]], &table.device());
        let logits = to_matrix(B::affine(images, table, zeros)).mapv(f64::from);
        Codes::of(model.layers.last()).spread_rows(logits)
    };
    let down = model.backward.val().transpose();
    if model.between().is_empty() {
        spread(model.forward.val() - down)
    } else {
        log_p - spread(down)
    }
}
