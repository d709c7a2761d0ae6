//! A path of the chain, recorded for the page to play: the states that it visits and the images that it draws.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ndarray::Axis;

use super::currents::shown_as_macrostates;
use super::names::letters;
use super::page::{Page, escape};
use crate::conditionals::Conditionals;
use crate::logs::largest;
use crate::random::{Stream, categorical};

/// Steps of a path.
const STEPS: usize = 300;
/// Most bytes of its images; the path is shorter where images are large.
const MOST_BYTES: usize = 1 << 16;
/// The path's draws are numbered from here on, so that it shares none with the film strips.
const NUMBER: u64 = 1 << 33;

/// A path in the steady state: each state with the image drawn from it.
struct Path {
    states: Vec<usize>,
    /// A bit a pixel, the first in the lowest bit; each image begins with a byte.
    images: Vec<u8>,
}

impl Path {
    /// `z ~ pi`, then `x ~ q(.|z)` and `z' ~ p(.|x)` in turn.
    fn draw(page: &Page) -> Self {
        let model = Conditionals::new(page.parameters);
        let bytes = model.visible().div_ceil(8);
        let draws = |step: usize, part: u64| page.seed.draws(Stream::Film, NUMBER, step as u64).part(part);
        let mut state = categorical(&mut draws(0, 2).generator(), &page.analysis.stationary.to_vec());
        let mut path = Self {
            states: Vec::new(),
            images: Vec::new(),
        };
        for step in 0..STEPS.min(MOST_BYTES / bytes).max(1) {
            let image = model.draw(&[state as i32], draws(step, 0));
            path.states.push(state);
            let pixels: Vec<u8> = image.unpack().iter().copied().collect();
            let packed = pixels
                .chunks(8)
                .map(|byte| byte.iter().rev().fold(0, |bits, pixel| bits << 1 | pixel));
            path.images.extend(packed);
            let log_p = model.log_forward(&image).remove_axis(Axis(0));
            let most = largest(log_p.iter().copied());
            let p: Vec<f64> = log_p.iter().map(|log_p| (log_p - most).exp()).collect();
            state = categorical(&mut draws(step, 1).generator(), &p);
        }
        path
    }
}

/// The player, as HTML, and what it plays. Its script is page.js; without one it shows nothing, and in print neither.
pub fn player(page: &Page) -> String {
    let path = Path::draw(page);
    let macrostates = shown_as_macrostates(page.analysis);
    // Nodes of the graph are macrostates where there are too many states.
    let nodes: Vec<usize> = match macrostates {
        Some(found) => path.states.iter().map(|&state| found.of_states[state]).collect(),
        None => path.states.clone(),
    };
    let names = path.states.iter().zip(&nodes).map(|(&state, &node)| match macrostates {
        Some(found) => format!("state {}, macrostate {}", letters(state), escape(&found.labels[node])),
        None => format!("state {}", letters(state)),
    });
    let list = |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let (rows, columns) = page.size;
    let last = path.states.len() - 1;
    let mut html = format!(
        r#"<div id="walk" hidden><canvas id="walk-image" class="pixels" width="{columns}" height="{rows}" role="img" aria-label="the image that the chain draws"></canvas><div class="controls"><p id="walk-now" aria-live="off"></p><p><button type="button" id="walk-play">Play</button> <button type="button" id="walk-next">One step</button></p><label>speed <input type="range" id="walk-speed" min="0" max="5" step="0.5" value="1.5"/></label><label>step <input type="range" id="walk-at" min="0" max="{last}" value="0"/></label></div><script type="application/json" id="walk-data">{{"rows":{rows},"columns":{columns},"states":[{}],"nodes":[{}],"names":["#,
        list(&path.states),
        list(&nodes)
    );
    let names: Vec<String> = names
        .map(|name| serde_json::Value::from(name).to_string().replace('<', "\\u003c"))
        .collect();
    let _ = write!(
        html,
        r#"{}],"images":"{}"}}</script></div>"#,
        names.join(","),
        STANDARD.encode(&path.images)
    );
    html
}
