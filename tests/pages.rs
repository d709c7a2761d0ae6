//! The page of an analysis, read as a reader does: figures, tables, pictures and charts of a machine whose answers are known.

use std::path::Path;

use ndarray_npy::NpzReader;
use serde_json::Value;

use crate::analyze::analysis;
use crate::html::{Element, body, close, number, numbers, picture, rounded, state};
use crate::known::{self, COLUMNS, ROWS, SIGNAL, STATES, succeeds};

/// The page in a folder.
pub fn page(folder: &Path) -> Element {
    body(&std::fs::read_to_string(folder.join("report.html")).unwrap())
}

/// The known machine with its run, analyzed into the folder `known`: its 2^15 images are enumerated.
pub fn analyzed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    known::train(folder.path());
    succeeds(folder.path(), "analyze run --quiet --checkpoint 0 --out known");
    folder
}

/// The state whose mean image this is: white at its mark, and as grey at its signal as that is often lit.
pub fn state_of_mean(uri: &str) -> usize {
    let mean = picture(uri).to_luma8();
    assert_eq!(mean.dimensions(), (COLUMNS as u32, ROWS as u32));
    let grey: Vec<u8> = mean.pixels().map(|pixel| pixel.0[0]).collect();
    let state = (0..STATES)
        .find(|k| grey[2 * k] == 255)
        .unwrap_or_else(|| panic!("no mark in {grey:?}"));
    for (pixel, &grey) in grey.iter().enumerate() {
        let expected = match pixel {
            _ if pixel == 2 * state => 255.0,
            _ if pixel == 2 * state + 1 => 255.0 * SIGNAL[state],
            _ => 0.0,
        };
        close(f64::from(grey), expected, 0.51, "a pixel of a mean image");
    }
    state
}

/// The grid of samples, cut apart: images row by row.
pub fn cut_apart(grid: &image::GrayImage, across: usize, count: usize) -> Vec<Vec<u8>> {
    let scale = 56 / COLUMNS.max(ROWS);
    let (width, height) = (COLUMNS * scale + 2, ROWS * scale + 2);
    assert_eq!(grid.dimensions().0 as usize, across * width + 2);
    let image = |n: usize| {
        let (left, top) = (2 + n % across * width, 2 + n / across * height);
        let pixels = (0..ROWS).flat_map(|y| (0..COLUMNS).map(move |x| (x, y)));
        pixels
            .map(|(x, y)| {
                grid.get_pixel((left + x * scale + scale / 2) as u32, (top + y * scale + scale / 2) as u32)
                    .0[0]
            })
            .collect()
    };
    (0..count).map(image).collect()
}

/// Class shares, samples and states: each figure stands under its own heading.
#[test]
fn tables_and_pictures_show_what_the_machine_draws() {
    let folder = analyzed();
    let out = folder.path().join("known");
    let page = page(&out);
    let generated: ndarray::Array3<u8> = NpzReader::new(std::fs::File::open(out.join("latent.npz")).unwrap())
        .unwrap()
        .by_name("generated")
        .unwrap();
    let generated: Vec<Vec<u8>> = generated.outer_iter().map(|image| image.iter().copied().collect()).collect();
    let [data, steady] = known::class_shares();
    let pi = known::stationary(&known::transition());
    let mut drawn = [0.0; 3];
    for image in &generated {
        let (state, lit) = known::read(image);
        drawn[known::class(state, lit)] += 1.0 / generated.len() as f64;
    }
    let mut by_state = [0.0; 3];
    for state in 0..STATES {
        let shares = known::classes_of(state);
        let most = (0..3).max_by(|&a, &b| shares[a].total_cmp(&shares[b])).unwrap();
        by_state[most] += pi[state];
    }
    let found = analysis(&out);
    let from_pi: Vec<f64> = (0..3)
        .map(|class| found["classes"]["from_stationary"][class].as_f64().unwrap())
        .collect();
    // Five standard errors of 10,016 images; of 20,480 in state 0, whose images alone are of two classes.
    let of_draws = 5.0 * (0.25 / 10_016.0_f64).sqrt();
    let of_state = 5.0 * pi[0] * (SIGNAL[0] * (1.0 - SIGNAL[0]) / 20_480.0).sqrt();
    let figure = page.by_id("classes");
    let rows = figure.all("tr");
    let headings: Vec<String> = rows[0].all("th").iter().map(|th| th.text()).collect();
    assert_eq!(headings, ["class", "data", "drawn", "from π", "by state"]);
    let mut widths = Vec::new();
    for (class, row) in rows[1..].iter().enumerate() {
        assert_eq!(row.all("th")[0].text(), known::LABELS[class].to_string());
        let cells: Vec<f64> = row
            .of_class("value")
            .iter()
            .map(|value| number(value.text().trim_end_matches('%')) / 100.0)
            .collect();
        close(cells[0], data[class], 0.00051, "share in the data");
        close(cells[1], drawn[class], 0.00051, "share of the images drawn");
        close(cells[1], steady[class], of_draws, "share of the images drawn");
        close(cells[2], steady[class], 0.00051 + of_state, "share from pi");
        close(cells[2], from_pi[class], 0.00051, "share from pi");
        close(cells[3], by_state[class], 0.00051, "share by state");
        for (bar, share) in row.of_class("bar").iter().zip(&cells) {
            widths.push((numbers(&bar.attribute("style").replace("width:", ""))[0], *share));
        }
    }
    assert!(
        (0..3).any(|class| (drawn[class] - from_pi[class]).abs() > 0.0011),
        "they can be told apart: {drawn:?} {from_pi:?}"
    );
    assert!(
        (data[0] - steady[0]).abs() > 0.01 && by_state[0] - steady[0] > 0.01,
        "they can be told apart"
    );
    let longest = widths.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert!(
        widths
            .iter()
            .all(|(width, share)| (width / longest.0 - share / longest.1).abs() < 0.005),
        "bars are as long as their shares"
    );
    let caption = figure.all("figcaption")[0].text();
    assert!(caption.contains("10016 images"), "{caption}");
    let right = caption.split("is right on ").nth(1).unwrap().split('%').next().unwrap();
    rounded(right, 100.0 * known::rightly_labelled(), "the judge's accuracy");

    // The first hundred images drawn, ten in a row, lit pixels white.
    let grid = picture(page.of_class("samples")[0].attribute("src")).to_luma8();
    for (shown, image) in cut_apart(&grid, 10, 100).iter().zip(&generated) {
        let lit: Vec<u8> = image.iter().map(|pixel| 255 * pixel).collect();
        assert_eq!(*shown, lit);
    }

    // A card for every state, heaviest first.
    let t = known::transition();
    let cards = page.by_id("states").of_class("card");
    let mut order = Vec::new();
    for card in cards {
        let state = state(&card.all("b")[0].text());
        assert_eq!(state_of_mean(card.all("img")[0].attribute("src")), state);
        let spans: Vec<String> = card.all("span").iter().map(|span| span.text()).collect();
        rounded(spans[0].strip_prefix("weight ").unwrap(), pi[state], "weight");
        rounded(spans[1].strip_prefix("stays ").unwrap(), t[[state, state]], "self-transition");
        let shares = known::classes_of(state);
        let mut named: Vec<usize> = (0..3).filter(|&class| shares[class] > 0.0).collect();
        named.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
        let said: Vec<&str> = spans[2].split(", ").collect();
        assert_eq!(said.len(), named.len(), "{}", spans[2]);
        for (said, class) in said.into_iter().zip(named) {
            let (label, share) = said.split_once(": ").unwrap();
            assert_eq!(label, format!("class {}", known::LABELS[class]));
            close(
                number(share.trim_end_matches('%')),
                100.0 * shares[class],
                1.6,
                "percent of a class",
            );
        }
        order.push(state);
    }
    let mut expected: Vec<usize> = (0..STATES).collect();
    expected.sort_by(|&a, &b| pi[b].total_cmp(&pi[a]));
    assert_eq!(order, expected);
}

/// `value ± half`, or `value (low to high)`, or `value`, as figures are shown, against a figure of analysis.json.
fn shown(text: &str, figure: &Value, what: &str) {
    let part = |key: &str| figure[key].as_f64();
    let (Some(value), low, high) = (part("value"), part("low"), part("high")) else {
        assert_eq!(text, "-", "{what}");
        return;
    };
    match (text.split_once(" ± "), text.split_once(" (")) {
        (Some((shown, half)), _) => {
            rounded(shown, value, what);
            rounded(half, 0.5 * (high.unwrap() - low.unwrap()), &format!("half width of {what}"));
        }
        (None, Some((shown, ends))) => {
            rounded(shown, value, what);
            let (from, to) = ends.trim_end_matches(')').split_once(" to ").unwrap();
            rounded(from, low.unwrap(), what);
            rounded(to, high.unwrap(), what);
        }
        (None, None) => {
            assert!(low.is_none(), "{what}: {text} hides an interval");
            rounded(text, value, what);
        }
    }
}

/// Each card has the figure of its name, with half of its interval; so has each line that `analyze` prints.
#[test]
fn figures_stand_under_their_names() {
    let folder = tempfile::tempdir().unwrap();
    known::train(folder.path());
    let stdout = succeeds(folder.path(), "analyze run --checkpoint 0 --out sampled --samples 2048");
    let out = folder.path().join("sampled");
    let found = analysis(&out);
    let page = page(&out);
    let cards = page.by_id("headlines").of_class("headlines")[0].children();
    for (card, (name, key, unit)) in cards.iter().zip([
        ("Log-likelihood", "log_likelihood_train", "nats per image, training images"),
        ("on test images", "log_likelihood_test", "nats per image"),
        ("Entropy production", "entropy_production", "nats per step, latent chain"),
        ("of the whole path", "path_entropy_production", "nats per step, images included"),
        ("Self-transition", "self_transition", "probability per step"),
        ("Class divergence", "class_kl", "nats, data from model"),
        ("Relaxation time", "relaxation_time", "steps"),
        (
            "Autocorrelation time",
            "autocorrelation_time",
            "steps, of the pixels; 0.5 if each image is drawn anew",
        ),
        ("of the class", "class_autocorrelation_time", "steps"),
        ("Rotation period", "rotation_period", "steps"),
    ]) {
        assert_eq!(
            (card.all("h3")[0].text().as_str(), card.all("span")[0].text().as_str()),
            (name, unit)
        );
        let value = card.all("b")[0].text();
        let Some(set) = ["log_likelihood_train", "log_likelihood_test"].iter().position(|name| *name == key) else {
            shown(&value, &found[key], name);
            continue;
        };
        // The interval over images stands beside the value, that of the kernel beneath.
        let (mean, reach) = known::log_likelihood(set);
        let reach = 1.96 * reach;
        let (shown_mean, shown_reach) = value.split_once(" ± ").unwrap();
        close(number(shown_mean), mean, 0.1 * reach, name);
        rounded(shown_reach, reach, "half width over images");
        let notes: Vec<String> = card.all("small").iter().map(|note| note.text()).collect();
        assert_eq!(notes[0], "interval: other images of the kind");
        let kernels = notes[1].strip_prefix("for these images: ± ").unwrap();
        let half = 0.5 * (found[key]["high"].as_f64().unwrap() - found[key]["low"].as_f64().unwrap());
        rounded(kernels, half, "half width for these images");
    }
    let half = |key: &str| found[key]["high"].as_f64().unwrap() - found[key]["low"].as_f64().unwrap();
    assert!(half("self_transition") > 0.0 && half("entropy_production") > 0.0);
    let title = page.all("header")[0].text();
    assert!(title.contains("of 7 latent states and 15 pixels after 0 training steps"), "{title}");

    for (name, key) in [
        ("log-likelihood, train", "log_likelihood_train"),
        ("log-likelihood, test", "log_likelihood_test"),
        ("entropy production", "entropy_production"),
        ("path entropy production", "path_entropy_production"),
        ("self-transition", "self_transition"),
        ("class divergence", "class_kl"),
        ("relaxation time", "relaxation_time"),
        ("rotation period", "rotation_period"),
    ] {
        let line = stdout
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_else(|| panic!("{name}: {stdout}"));
        shown(line[name.len()..].trim().split("  ").next().unwrap(), &found[key], name);
    }
    let cycles = found["cycles"].as_array().unwrap().iter();
    for (cycle, line) in cycles
        .filter(|cycle| cycle["resolved"] == true)
        .zip(stdout.lines().filter(|line| line.starts_with("cycle ")))
    {
        let (states, rest) = line["cycle ".len()..].split_once(": ").unwrap();
        let mut expected: Vec<u64> = cycle["states"].as_array().unwrap().iter().map(|k| k.as_u64().unwrap()).collect();
        expected.push(expected[0]);
        assert_eq!(numbers(states), expected.iter().map(|&k| k as f64).collect::<Vec<_>>(), "{line}");
        let words: Vec<&str> = rest.split_whitespace().collect();
        rounded(words[0], cycle["weight"].as_f64().unwrap(), line);
        rounded(words[5], cycle["affinity"].as_f64().unwrap(), line);
        rounded(words[7].trim_end_matches('%'), 100.0 * cycle["share"].as_f64().unwrap(), line);
    }
}

/// A chart as a reader takes it: its axes translated by their labels.
struct Chart<'a> {
    svg: &'a Element,
    /// Pixels of step 1 and of a factor of ten.
    x: (f64, f64),
    /// Pixels of the value 0 and of a unit; by decades, of 1 and of a factor of ten.
    y: (f64, f64),
    by_decades: bool,
}

impl<'a> Chart<'a> {
    fn read(figure: &'a Element, by_decades: bool) -> Self {
        let svg = figure.all("svg")[0];
        let labels = |class: &str, along: &str| -> Vec<(f64, f64)> {
            let texts = svg.of_class(class).into_iter();
            texts.map(|text| (number(&text.text()), text.number(along))).collect()
        };
        let scale = |labels: &[(f64, f64)]| {
            let (first, last) = (labels[0], labels[labels.len() - 1]);
            let unit = (last.1 - first.1) / (last.0 - first.0);
            (first.1 - unit * first.0, unit)
        };
        let steps = labels("x-tick", "x").into_iter().filter(|(step, _)| *step > 0.0);
        let steps: Vec<(f64, f64)> = steps.map(|(step, x)| (step.log10(), x)).collect();
        // Their baselines lie four pixels below their lines.
        let values = labels("y-tick", "y").into_iter().map(|(value, y)| (value, y - 4.0));
        let values: Vec<(f64, f64)> = values
            .map(|(value, y)| (if by_decades { value.log10() } else { value }, y))
            .collect();
        assert!(steps.len() >= 2 && values.len() >= 2, "{steps:?} {values:?}");
        assert!(
            values.windows(2).all(|pair| pair[0].0 < pair[1].0),
            "labels can be told apart: {values:?}"
        );
        Self {
            svg,
            x: scale(&steps),
            y: scale(&values),
            by_decades,
        }
    }

    /// Where a step and a value stand; step 0 is at the left end.
    fn place(&self, step: f64, value: f64) -> (f64, f64) {
        let x = if step == 0.0 { -0.5 } else { step.log10() };
        let y = if self.by_decades { value.log10() } else { value };
        (self.x.0 + self.x.1 * x, self.y.0 + self.y.1 * y)
    }

    /// All marks of a kind in a colour.
    fn marks(&self, kind: &str, colour: &str) -> Vec<&Element> {
        let own = self.svg.of_class(kind).into_iter();
        // The legend's are not among them.
        let legend = self.svg.of_class("legend-of")[0].children();
        own.filter(|mark| mark.is(colour) && !legend.iter().any(|other| std::ptr::eq(*other, *mark)))
            .collect()
    }

    fn expect(&self, found: (f64, f64), step: f64, value: f64, what: &str) {
        let place = self.place(step, value);
        // Places and labels are rounded to a tenth of a pixel.
        assert!(
            (found.0 - place.0).abs() <= 0.3 && (found.1 - place.1).abs() <= 0.5,
            "{what} at step {step}: {found:?} instead of {place:?}"
        );
    }
}

/// The curves over training are those of metrics.jsonl in the caption's colours, the points with bars those of checkpoints.jsonl.
#[test]
fn charts_show_their_figures_over_training() {
    let folder = tempfile::tempdir().unwrap();
    known::train(folder.path());
    succeeds(folder.path(), "analyze run --quiet --all-checkpoints --samples 64");
    let run = folder.path().join("run");
    let lines = crate::command::metrics(&run);
    let text = std::fs::read_to_string(run.join("analysis/checkpoints.jsonl")).unwrap();
    let checkpoints: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len() as u64, checkpoints.len()), (known::STEPS + 1, 7));
    let page = page(&run.join("analysis"));
    let mut longest: f64 = 0.0;
    for (id, title, curves) in [
        (
            "training-0",
            "Log-likelihood, nats per image",
            vec![("first", "log_likelihood_train"), ("second", "log_likelihood_test")],
        ),
        (
            "training-1",
            "Entropy production, nats per step",
            vec![("first", "entropy_production")],
        ),
        ("training-2", "Self-transition, per step", vec![("first", "self_transition")]),
    ] {
        let figure = page.by_id(id);
        assert_eq!(figure.all("h3")[0].text(), title);
        let chart = Chart::read(figure, id == "training-2");
        assert!(chart.x.1 > 0.0 && chart.y.1 < 0.0, "steps to the right, values upward");
        for (colour, key) in curves {
            let curve = chart.marks("curve", colour)[0];
            assert_eq!(curve.is("rough"), key == "entropy_production", "plain means are marked as rough");
            let curve = numbers(curve.attribute("points"));
            assert_eq!(curve.len(), 2 * (lines.len() - 1), "{key}");
            for (point, line) in curve.chunks(2).zip(&lines[1..]) {
                chart.expect(
                    (point[0], point[1]),
                    line["step"].as_f64().unwrap(),
                    line[key].as_f64().unwrap(),
                    key,
                );
            }
            let start = chart.marks("start", colour)[0];
            chart.expect((start.number("cx"), start.number("cy")), 0.0, lines[0][key].as_f64().unwrap(), key);
            let (bars, points) = (chart.marks("bar-of", colour), chart.marks("point", colour));
            assert_eq!((bars.len(), points.len()), (checkpoints.len(), checkpoints.len()), "{key}");
            for ((bar, point), checkpoint) in bars.into_iter().zip(points).zip(&checkpoints) {
                let (step, figure) = (checkpoint["step"].as_f64().unwrap(), &checkpoint[key]);
                let [low, value, high] = ["low", "value", "high"].map(|end| figure[end].as_f64().unwrap());
                let [x, from, to] = numbers(&bar.attribute("d").replace(['M', 'V'], " "))[..] else {
                    panic!("{}", bar.attribute("d"))
                };
                chart.expect((x, from), step, low, key);
                chart.expect((x, to), step, high, key);
                chart.expect((point.number("cx"), point.number("cy")), step, value, key);
                longest = longest.max(from - to);
            }
        }
    }
    assert!(longest > 12.0, "bars long enough to be measured: {longest}");
    let legend = page.by_id("training-0").of_class("legend-of")[0].text();
    assert!(legend.contains("train") && legend.contains("test"), "{legend}");
    let legend = page.by_id("training-1").of_class("legend-of")[0].text();
    assert!(legend.contains("rough") && legend.contains("95% intervals"), "{legend}");
    let caption = page.by_id("training-0").all("figcaption")[0].text();
    assert!(caption.contains("Blue: training images; orange: test images"), "{caption}");
    let css = std::fs::read_to_string(run.join("analysis/report.html")).unwrap();
    for (colour, is_blue) in [("--first: #", true), ("--second: #", false)] {
        for part in css.split(colour).skip(1) {
            let [red, blue] = [0, 4].map(|at| u8::from_str_radix(&part[at..at + 2], 16).unwrap());
            assert_eq!(blue > red, is_blue, "{colour}{}", &part[..6]);
        }
    }
}
