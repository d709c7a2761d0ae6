//! The diagrams of an analysis, read as a reader does: the graph of the currents, the maps of T and J, film strips, the spectrum, of a machine
//! whose answers are known.

use latent_cycles::record;
use ndarray::Array2;
use serde_json::Value;

use crate::analyze::analysis;
use crate::html::{self, Element, close, number, numbers, picture, rounded};
use crate::known::{self, RING, SIGNAL, STATES, next};
use crate::pages::{analyzed, page, state_of_mean};

/// A node of the graph.
struct Node {
    state: usize,
    x: f64,
    y: f64,
    radius: f64,
}

impl Node {
    fn distance(&self, (x, y): (f64, f64)) -> f64 {
        (self.x - x).hypot(self.y - y)
    }
}

/// Every node shows the image of the state that it names; every arrow leads the way that the current flows, from rim to rim.
#[test]
fn the_graph_shows_where_probability_flows() {
    let folder = analyzed();
    let (currents, pi) = (known::currents(), known::stationary(&known::transition()));
    let page = page(&folder.path().join("known"));
    let groups: Vec<&Element> = page.by_id("graph").all("g");
    let mut nodes = Vec::new();
    for group in groups.iter().filter(|group| group.children().iter().any(|child| child.is("node"))) {
        let circle = group.of_class("node")[0];
        let state = state_of_mean(group.all("image")[0].attribute("href"));
        let label = group.of_class("label")[0];
        assert_eq!(html::state(&label.text()), state, "the name beside the image of state {state}");
        let title = group.all("title")[0].text();
        let [weight, stays] = numbers(&title)[..] else { panic!("{title}") };
        assert!(title.starts_with(&format!("state {}:", label.text())), "{title}");
        close(weight, pi[state], 1e-3 * pi[state], "weight");
        close(stays, known::transition()[[state, state]], 1e-3, "self-transition");
        let node = Node {
            state,
            x: circle.number("cx"),
            y: circle.number("cy"),
            radius: circle.number("r"),
        };
        assert!(node.distance((label.number("x"), label.number("y"))) < node.radius + 30.0);
        let image = group.all("image")[0];
        let middle = (
            image.number("x") + 0.5 * image.number("width"),
            image.number("y") + 0.5 * image.number("height"),
        );
        assert!(node.distance(middle) < 0.2, "the image stands in its node");
        nodes.push(node);
    }
    assert_eq!(nodes.len(), STATES);
    nodes.sort_by(|a, b| pi[a.state].total_cmp(&pi[b.state]));
    assert!(
        nodes.windows(2).all(|pair| pair[0].radius < pair[1].radius),
        "heavier states are larger"
    );

    let largest = currents.iter().copied().fold(0.0, f64::max);
    let mut arrows = Vec::new();
    for group in page.by_id("graph").of_class("arrows")[0].all("g") {
        let path = group.all("path")[0];
        let [sx, sy, cx, cy, bx, by] = numbers(&path.attribute("d").replace(['M', 'Q'], " "))[..] else {
            panic!("{}", path.attribute("d"))
        };
        let [tx, ty, ..] = numbers(group.all("polygon")[0].attribute("points"))[..] else {
            panic!("a head without a point")
        };
        let at = |place: (f64, f64)| {
            let rim = |node: &&Node| (node.distance(place) - node.radius).abs();
            let node = nodes.iter().min_by(|a, b| rim(a).total_cmp(&rim(b))).unwrap();
            assert!(rim(&node) < 4.0, "an end of an arrow lies on a rim");
            node
        };
        let (from, to) = (at((sx, sy)), at((tx, ty)));
        assert!(to.distance((tx, ty)) < to.distance((bx, by)), "the head points to its node");
        let title = group.all("title")[0].text();
        let (named_from, rest) = title.split_once(" to ").unwrap();
        let (named_to, current) = rest.split_once(": ").unwrap();
        assert_eq!(
            (html::state(named_from), html::state(named_to)),
            (from.state, to.state),
            "the title names the ends"
        );
        let current = number(current.strip_suffix(" per step").unwrap());
        // No arrow runs behind a node that it does not join.
        for step in 0..=100 {
            let t = f64::from(step) / 100.0;
            let at = |a: f64, c: f64, b: f64| (1.0 - t).powi(2) * a + 2.0 * t * (1.0 - t) * c + t * t * b;
            let place = (at(sx, cx, bx), at(sy, cy, by));
            let others = nodes.iter().filter(|node| ![from.state, to.state].contains(&node.state));
            for node in others {
                assert!(
                    node.distance(place) > node.radius,
                    "from {} to {} behind {}",
                    from.state,
                    to.state,
                    node.state
                );
            }
        }
        close(
            current,
            currents[[from.state, to.state]],
            1e-3 * largest,
            "the current in the title",
        );
        arrows.push((from.state, to.state, path.number("stroke-width")));
    }
    arrows.sort_by(|a, b| currents[[a.0, a.1]].total_cmp(&currents[[b.0, b.1]]));
    assert!(arrows.windows(2).all(|pair| pair[0].2 <= pair[1].2) && arrows[0].2 < 0.5 * arrows[arrows.len() - 1].2);
    let mut drawn: Vec<(usize, usize)> = arrows.iter().map(|arrow| (arrow.0, arrow.1)).collect();
    drawn.sort_unstable();
    let strong = currents.indexed_iter().filter(|(_, current)| **current > 0.02 * largest);
    assert_eq!(drawn, strong.map(|(pair, _)| pair).collect::<Vec<_>>());
    assert!(RING.iter().all(|&k| drawn.contains(&(k, next(k)))));
    // The scale: lines as wide as arrows of the currents beside them.
    let scale = page.by_id("graph").of_class("scale")[0];
    let (narrow, wide) = (&arrows[0], &arrows[arrows.len() - 1]);
    let slope = (wide.2 - narrow.2) / (currents[[wide.0, wide.1]] - currents[[narrow.0, narrow.1]]);
    for (line, text) in scale.all("path").iter().zip(scale.all("text")) {
        let current = numbers(&text.text())[0];
        let expected = wide.2 - slope * (currents[[wide.0, wide.1]] - current);
        close(line.number("stroke-width"), expected, 0.15, &text.text());
    }

    // The same graph for Graphviz.
    let dot = std::fs::read_to_string(folder.path().join("known/currents.dot")).unwrap();
    let mut edges = Vec::new();
    for line in dot.lines().filter(|line| line.contains("->")) {
        let [from, to, width, label] = numbers(&line.replace("->", " "))[..] else {
            panic!("{line}")
        };
        let current = currents[[from as usize, to as usize]];
        close(label, current, 0.005 * current + 1e-9, line);
        edges.push((current, width));
    }
    let listed = currents.iter().filter(|current| **current > 1e-3 * largest).count();
    assert_eq!(edges.len(), listed);
    edges.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert!(edges.windows(2).all(|pair| pair[0].1 <= pair[1].1) && edges[0].1 < 0.5 * edges[edges.len() - 1].1);
}

/// Of a machine whose currents run between all its states: no arrow runs behind a node that it does not join.
#[test]
fn arrows_run_around_the_nodes() {
    let folder = tempfile::tempdir().unwrap();
    record::save_model(&folder.path().join("machine.mpk"), &crate::common::random_model(17, 11, 12, 0.3)).unwrap();
    known::succeeds(folder.path(), "analyze machine.mpk --quiet --out out");
    let page = page(&folder.path().join("out"));
    let graph = page.by_id("graph");
    let of_nodes = graph
        .all("g")
        .into_iter()
        .filter(|group| group.children().iter().any(|child| child.is("node")));
    let nodes: Vec<Node> = of_nodes
        .map(|group| {
            let circle = group.of_class("node")[0];
            Node {
                state: group.number("data-node") as usize,
                x: circle.number("cx"),
                y: circle.number("cy"),
                radius: circle.number("r"),
            }
        })
        .collect();
    let arrows = graph.of_class("arrows")[0].all("g");
    assert!(nodes.len() == 12 && arrows.len() > 20, "{} arrows", arrows.len());
    let mut straight_would_cross = 0;
    for arrow in arrows {
        let (from, to) = arrow.attribute("data-edge").split_once('-').unwrap();
        let ends = [from, to].map(|end| end.parse::<usize>().unwrap());
        let [sx, sy, cx, cy, bx, by] = numbers(&arrow.all("path")[0].attribute("d").replace(['M', 'Q'], " "))[..] else {
            panic!("an arrow without its curve")
        };
        let crosses = |[start, control, end]: [(f64, f64); 3]| {
            (0..=100).any(|step| {
                let t = f64::from(step) / 100.0;
                let at = |a: f64, c: f64, b: f64| (1.0 - t).powi(2) * a + 2.0 * t * (1.0 - t) * c + t * t * b;
                let place = (at(start.0, control.0, end.0), at(start.1, control.1, end.1));
                let mut others = nodes.iter().filter(|node| !ends.contains(&node.state));
                others.any(|node| node.distance(place) < node.radius)
            })
        };
        assert!(!crosses([(sx, sy), (cx, cy), (bx, by)]), "from {from} to {to}");
        let [a, b] = ends.map(|end| nodes.iter().find(|node| node.state == end).unwrap());
        let straight = [(a.x, a.y), (0.5 * (a.x + b.x), 0.5 * (a.y + b.y)), (b.x, b.y)];
        straight_would_cross += usize::from(crosses(straight));
    }
    assert!(straight_would_cross > 0, "none is in the way of another");
}

/// A map of colours as a reader takes it: the states of rows and of columns, and where on the scale each cell's colour lies, from 0 to 1.
struct Map {
    rows: Vec<usize>,
    columns: Vec<usize>,
    on_scale: Array2<f64>,
    /// The labels of the scale and where they stand.
    labels: Vec<(f64, String)>,
}

fn read_map(figure: &Element) -> Map {
    let [cells, scale] = figure.all("image")[..] else {
        panic!("a map and its scale")
    };
    let [left, width] = ["x", "width"].map(|key| scale.number(key));
    let below = |text: &&Element| text.number("y") > scale.number("y");
    let [to, from] = figure.of_class("axis-title")[..] else {
        panic!("titles of both axes")
    };
    assert_eq!((to.text().as_str(), from.text().as_str()), ("to", "from"));
    let labels = figure.all("text").into_iter().filter(|text| !text.is("axis-title"));
    let labels = labels.filter(below);
    let labels = labels.map(|text| ((text.number("x") - left) / width, text.text())).collect();
    let states = |class: &str, along: &str| {
        let mut named: Vec<(f64, usize)> = figure
            .of_class(class)
            .into_iter()
            .filter(|text| !text.is("axis-title") && !below(text))
            .map(|text| (text.number(along), html::state(&text.text())))
            .collect();
        named.sort_by(|a, b| a.0.total_cmp(&b.0));
        named.into_iter().map(|(_, state)| state).collect::<Vec<usize>>()
    };
    let strip = picture(scale.attribute("href")).to_rgb8();
    let picture = picture(cells.attribute("href")).to_rgb8();
    let place = |colour: image::Rgb<u8>| {
        let distance = |x: &u32| {
            let parts = strip.get_pixel(*x, 0).0.into_iter().zip(colour.0);
            parts.map(|(a, b)| (i32::from(a) - i32::from(b)).pow(2)).sum::<i32>()
        };
        let x = (0..strip.width()).min_by_key(distance).unwrap();
        assert!(distance(&x) < 30, "every colour is on the scale");
        f64::from(x) / f64::from(strip.width() - 1)
    };
    let side = picture.width() as usize;
    assert_eq!(picture.height() as usize, side);
    Map {
        rows: states("end", "y"),
        columns: states("mid", "x"),
        on_scale: Array2::from_shape_fn((side, side), |(row, column)| place(*picture.get_pixel(column as u32, row as u32))),
        labels,
    }
}

/// The colours of both maps, translated back by their own scales, are T and J, rows to columns, in the order of the strongest cycle.
#[test]
fn the_maps_show_transitions_and_currents_from_rows_to_columns() {
    let folder = analyzed();
    let page = page(&folder.path().join("known"));
    let transitions = read_map(page.by_id("map-transitions"));
    assert_eq!((&transitions.rows, &transitions.columns), (&RING.to_vec(), &RING.to_vec()));
    let exponents: Vec<(f64, f64)> = transitions
        .labels
        .iter()
        .map(|(at, label)| {
            let exponent = match label.strip_prefix("10⁻") {
                Some(digit) => -("⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|c| digit.starts_with(c)).unwrap() as f64),
                None => number(label).log10(),
            };
            (*at, exponent)
        })
        .collect();
    assert_eq!((exponents.first().unwrap().0, exponents.last().unwrap().0), (0.0, 1.0));
    let t = known::transition();
    for ((row, column), &at) in transitions.on_scale.indexed_iter() {
        let pair = exponents.windows(2).find(|pair| at <= pair[1].0 + 1e-9).unwrap();
        let share = (at - pair[0].0) / (pair[1].0 - pair[0].0);
        let exponent = pair[0].1 + share * (pair[1].1 - pair[0].1);
        let (j, k) = (RING[row], RING[column]);
        // Three of 300 places on a scale of six decades.
        close(exponent, t[[j, k]].log10(), 0.06, &format!("log T from {j} to {k}"));
    }
    // What the caption promises: bright just above the diagonal.
    assert!((0..STATES - 1).all(|row| transitions.on_scale[[row, row + 1]] > 0.8));

    let currents = read_map(page.by_id("map-currents"));
    assert_eq!((&currents.rows, &currents.columns), (&RING.to_vec(), &RING.to_vec()));
    let j = known::currents();
    let largest = j.iter().copied().fold(0.0, f64::max);
    let labels: Vec<(f64, f64)> = currents.labels.iter().map(|(at, label)| (*at, number(label))).collect();
    let expected = [(0.0, -largest), (0.5, 0.0), (1.0, largest)];
    for ((at, value), (place, current)) in labels.into_iter().zip(expected) {
        close(at, place, 1e-9, "a label's place");
        close(value, current, 0.05 * largest, "a label");
    }
    for ((row, column), &at) in currents.on_scale.indexed_iter() {
        let current = j[[RING[row], RING[column]]];
        let expected = 0.5 + 0.5 * (current.abs() / largest).sqrt().copysign(current);
        close(at, expected, 0.02, &format!("J from {} to {}", RING[row], RING[column]));
    }
    let cells = picture(page.by_id("map-currents").all("image")[0].attribute("href")).to_rgb8();
    let [red, _, blue] = cells.get_pixel(1, 0).0;
    assert!(red > blue, "red where the row's state leads to the column's");
}

/// A run of a machine in equilibrium: no arrow, no cycle, a blank map, on the page as in the graph for Graphviz.
#[test]
fn a_chain_in_equilibrium_shows_no_currents() {
    let folder = tempfile::tempdir().unwrap();
    let mut parameters = crate::common::random_model(7, 11, 5, 1.5);
    // Out of equilibrium by less than its draws tell.
    parameters.forward = parameters.backward.t().to_owned() + crate::common::random_model(8, 11, 5, 1e-4).forward;
    record::save_model(&folder.path().join("machine.mpk"), &parameters).unwrap();
    let stdout = known::succeeds(folder.path(), "analyze machine.mpk --samples 64 --out out");
    let out = folder.path().join("out");
    let currents = analysis(&out)["currents"].to_string();
    assert!(
        numbers(&currents).iter().any(|current| *current != 0.0),
        "draws leave some: {currents}"
    );
    let page = page(&out);
    let graph = page.by_id("graph");
    assert!(graph.of_class("arrows")[0].children().is_empty() && graph.of_class("scale").is_empty());
    assert!(graph.text().contains("no current differs from zero"));
    assert!(page.by_id("cycles").of_class("film").is_empty());
    let map = read_map(page.by_id("map-currents"));
    assert!(map.on_scale.iter().all(|at| (at - 0.5).abs() < 0.01));
    assert!(!std::fs::read_to_string(out.join("currents.dot")).unwrap().contains("->"));
    assert!(!stdout.contains("cycle "), "{stdout}");
}

/// Every frame shows the state that stands beneath it, in an image from which the chain goes on to the next frame's state.
#[test]
fn film_strips_show_the_way_round_their_cycles() {
    let folder = analyzed();
    let out = folder.path().join("known");
    let page = page(&out);
    let figure = page.by_id("cycles");
    let (strips, captions) = (figure.of_class("film"), figure.of_class("under"));
    assert_eq!((strips.len(), captions.len()), (5, 5));
    let found = analysis(&out);
    let cycles = found["cycles"].as_array().unwrap();
    let (t, pi) = (known::transition(), known::stationary(&known::transition()));
    let sigma = known::entropy_production(&t);
    let mut shares = Vec::new();
    for (strip, caption) in strips.iter().zip(&captions) {
        let frames = strip.of_class("frame");
        let states: Vec<usize> = frames.iter().map(|frame| html::state(&frame.text())).collect();
        for (place, frame) in frames.iter().enumerate() {
            let (here, there) = (states[place], states[(place + 1) % states.len()]);
            let pixels: Vec<u8> = picture(frame.all("img")[0].attribute("src"))
                .to_luma8()
                .pixels()
                .map(|pixel| pixel.0[0])
                .collect();
            let (state, lit) = known::read(&pixels);
            assert_eq!(state, here, "the frame above {here}");
            // From which of the two images of this state does the chain go there?
            let ratio =
                SIGNAL[here] * known::given_signal(here, true)[there] / ((1.0 - SIGNAL[here]) * known::given_signal(here, false)[there]);
            if !(0.02..50.0).contains(&ratio) {
                assert_eq!(lit, ratio > 1.0, "on the way from {here} to {there}");
            }
        }
        let again = strip.of_class("again")[0].text();
        assert_eq!(html::state(again.strip_suffix(" again").unwrap()), states[0]);

        let same = |cycle: &&Value| {
            cycle["states"]
                .as_array()
                .unwrap()
                .iter()
                .map(|k| k.as_u64().unwrap() as usize)
                .eq(states.clone())
        };
        let weight = cycles.iter().find(same).expect("a cycle of analysis.json")["weight"]
            .as_f64()
            .unwrap();
        let steps = || (0..states.len()).map(|place| (states[place], states[(place + 1) % states.len()]));
        let affinity: f64 = steps().map(|(i, j)| (t[[i, j]] / t[[j, i]]).ln()).sum();
        let narrowest = steps().map(|(i, j)| pi[i] * t[[i, j]] - pi[j] * t[[j, i]]).fold(f64::MAX, f64::min);
        assert!(
            weight <= narrowest * (1.0 + 1e-4) && affinity > 0.0,
            "no cycle turns more often than its steps"
        );
        let caption = caption.text();
        let words: Vec<&str> = caption.split_whitespace().collect();
        rounded(words[0], weight, "turns per step");
        rounded(words[5], affinity, "affinity");
        rounded(
            words[7].trim_end_matches('%'),
            100.0 * weight * affinity / sigma,
            "share in percent",
        );
        shares.push(weight * affinity / sigma);
    }
    // The ring is the widest cycle of all, and goes round as often as its narrowest step.
    let [ring, ..] = &cycles[..] else { panic!("no cycle") };
    assert_eq!(ring["states"], serde_json::json!(RING));
    let j = known::currents();
    let narrowest = RING.iter().map(|&k| j[[k, next(k)]]).fold(f64::MAX, f64::min);
    close(ring["weight"].as_f64().unwrap(), narrowest, 1e-5, "weight of the ring");
    assert_eq!(strips[0].of_class("frame").len(), STATES, "it also carries most");
    assert!(shares.windows(2).all(|pair| pair[0] >= pair[1]), "{shares:?}");
    let rest: Vec<f64> = cycles.iter().map(|cycle| cycle["share"].as_f64().unwrap()).collect();
    assert!(
        rest.iter().filter(|share| **share > shares[4] * 1.001).count() <= 4,
        "the five strongest"
    );
    close(rest.iter().sum(), 1.0, 1e-6, "all cycles together");
}

/// The eigenvalues in the plane: their powers sum to the traces of the powers of T, which fixes all of them.
#[test]
fn the_spectrum_is_that_of_the_transitions() {
    let folder = analyzed();
    let page = page(&folder.path().join("known"));
    let figure = page.by_id("spectrum");
    let rim = figure.of_class("rim")[0];
    let (middle, radius) = ((rim.number("cx"), rim.number("cy")), rim.number("r"));
    let mut eigenvalues = Vec::new();
    for dot in figure.of_class("dot") {
        let [re, im, modulus] = numbers(&dot.all("title")[0].text().replace(" i,", ","))[..] else {
            panic!("{}", dot.text())
        };
        close((dot.number("cx") - middle.0) / radius, re, 1e-3, "real part, to the right");
        close((middle.1 - dot.number("cy")) / radius, im, 1e-3, "imaginary part, upward");
        close(modulus, re.hypot(im), 2e-6, "modulus");
        eigenvalues.push((re, im));
    }
    traces(&eigenvalues, 1e-5);
    let (one, i) = (
        figure.all("text").into_iter().find(|text| text.text() == "1").unwrap(),
        figure.all("text").into_iter().find(|text| text.text() == "i").unwrap(),
    );
    assert!(
        one.number("x") > middle.0 + radius && i.number("y") < middle.1 - radius,
        "the axes' names"
    );
}

/// Are these the eigenvalues of the known machine?
pub fn traces(eigenvalues: &[(f64, f64)], tolerance: f64) {
    assert_eq!(eigenvalues.len(), STATES);
    let t = known::transition();
    let (mut power, mut of_eigenvalues) = (t.clone(), eigenvalues.to_vec());
    for n in 1..=STATES {
        let (re, im) = of_eigenvalues
            .iter()
            .fold((0.0, 0.0), |sum, value| (sum.0 + value.0, sum.1 + value.1));
        close(re, power.diag().sum(), tolerance * n as f64, &format!("trace of T^{n}"));
        close(im, 0.0, tolerance * n as f64, "a trace is real");
        power = power.dot(&t);
        for (value, factor) in of_eigenvalues.iter_mut().zip(eigenvalues) {
            *value = (value.0 * factor.0 - value.1 * factor.1, value.0 * factor.1 + value.1 * factor.0);
        }
    }
}
