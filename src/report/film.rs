//! Cycles as film strips: for each state an image that it emits on its way to the next.

use std::fmt::Write;

use ndarray::Axis;

use super::names::letters;
use super::png;
use crate::conditionals::Conditionals;
use crate::logs::{largest, logsumexp};
use crate::random::{Seed, Stream, categorical};

/// Images from which one is chosen.
const CANDIDATES: usize = 512;
/// Most states of a strip that are drawn.
const MOST_FRAMES: usize = 24;

/// One image of a strip.
pub struct Frame {
    /// The state that emits it.
    pub state: usize,
    /// The states that it leads to, one of them.
    pub next: Vec<usize>,
    /// What stands beneath it, as HTML.
    pub name: String,
}

/// The frames of a cycle of states.
pub fn frames(states: &[usize]) -> Vec<Frame> {
    let next = states.iter().cycle().skip(1);
    let frame = |(&state, &next): (&usize, &usize)| Frame {
        state,
        next: vec![next],
        name: letters(state),
    };
    states.iter().zip(next).map(frame).collect()
}

/// The strip of a cycle, as HTML. Each image is drawn from q(x|k) and chosen among others in proportion to p(next|x): an image of the
/// path, given the two states around it.
pub fn strip(model: &Conditionals, frames: &[Frame], size: (usize, usize), seed: Seed, number: u64) -> String {
    let mut html = String::from(r#"<div class="film">"#);
    for (place, Frame { state, next, name }) in frames.iter().take(MOST_FRAMES).enumerate() {
        let draws = seed.draws(Stream::Film, number, place as u64);
        let images = model.draw(&[*state as i32; CANDIDATES], draws);
        let log_p = model.log_forward(&images).select(Axis(1), next).map_axis(Axis(1), logsumexp);
        let largest = largest(log_p.iter().copied());
        let weights = log_p.mapv_into(|log_p| (log_p - largest).exp()).to_vec();
        let image = images.select(&[categorical(&mut draws.part(1).generator(), &weights)]).unpack();
        let picture = png::data_uri(png::gray(image.iter().map(|&pixel| f64::from(pixel)), size));
        let _ = write!(
            html,
            r#"<div class="frame"><img class="pixels" src="{picture}" alt="an image of state {}"><span>{name}</span></div><span class="to">→</span>"#,
            letters(*state)
        );
    }
    let again = if frames.len() > MOST_FRAMES { "… " } else { "" };
    let _ = write!(html, r#"<span class="again">{again}{} again</span></div>"#, frames[0].name);
    html
}
