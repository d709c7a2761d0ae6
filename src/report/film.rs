//! Cycles as film strips: for each state an image that it emits on its way to the next.

use std::fmt::Write;

use super::png;
use crate::analysis::CycleFigures;
use crate::conditionals::Conditionals;
use crate::logs::largest;
use crate::random::{Seed, Stream, categorical};

/// Images from which one is chosen.
const CANDIDATES: usize = 512;
/// Most states of a strip that are drawn.
const MOST_FRAMES: usize = 24;

/// The strip of a cycle, as HTML. Each image is drawn from q(x|k) and chosen among others in proportion to p(next|x): an image of the
/// path, given the two states around it.
pub fn strip(model: &Conditionals, cycle: &CycleFigures, size: (usize, usize), seed: Seed, number: u64) -> String {
    let mut html = String::from(r#"<div class="film">"#);
    let next = cycle.states.iter().cycle().skip(1);
    for (place, (&state, &next)) in cycle.states.iter().zip(next).take(MOST_FRAMES).enumerate() {
        let draws = seed.draws(Stream::Film, number, place as u64);
        let images = model.draw(&[state as i32; CANDIDATES], draws);
        let log_p = model.log_forward(&images).column(next).to_owned();
        let largest = largest(log_p.iter().copied());
        let weights = log_p.mapv_into(|log_p| (log_p - largest).exp()).to_vec();
        let image = images.select(&[categorical(&mut draws.part(1).generator(), &weights)]).unpack();
        let picture = png::data_uri(png::gray(image.iter().map(|&pixel| f64::from(pixel)), size));
        let _ = write!(
            html,
            r#"<div class="frame"><img class="pixels" src="{picture}" alt="an image of state {state}"><span>{state}</span></div><span class="to">→</span>"#
        );
    }
    let again = if cycle.states.len() > MOST_FRAMES { "… " } else { "" };
    let _ = write!(html, r#"<span class="again">{again}{} again</span></div>"#, cycle.states[0]);
    html
}
