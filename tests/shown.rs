//! What the page shows of units, layers and laws, read as a reader does: tables under their headings, colours, bars and points on their axes.

use latent_cycles::Estimate;
use latent_cycles::analysis::laws::UncertaintyRelation;
use latent_cycles::analysis::units::weights;
use latent_cycles::analysis::{Analysis, Settings, Subject, analyze};
use latent_cycles::backend::BackendName;
use latent_cycles::codes::{Codes, Layer, Layers};
use latent_cycles::estimate::jackknife::Figure;
use latent_cycles::evaluation::Reference;
use latent_cycles::latent::observables::Observables;
use latent_cycles::latent::uncertainty::least_relative_variance;
use latent_cycles::model::Parameters;
use latent_cycles::random::Seed;
use latent_cycles::report::page::Page;
use latent_cycles::report::provenance::Provenance;
use ndarray::Array2;

use crate::html::{Element, body, close, number, numbers, picture};
use crate::layered::random_layers;

pub const SIZE: (usize, usize) = (3, 5);

pub fn layers(layers: Vec<Layer>) -> Layers {
    Layers::new(layers).unwrap()
}

/// The analysis of a model of 15 pixels and its page.
pub fn shown(parameters: &Parameters, samples: usize, data: Option<&Reference>) -> (Analysis, Element) {
    let subject = Subject {
        parameters,
        step: None,
        data,
        classes: &[4, 8, 9],
        partition: None,
    };
    let settings = Settings {
        exact: samples == 0,
        samples,
        seed: Seed(7),
    };
    let numerics = BackendName::Ndarray.open().unwrap();
    let analysis = analyze(&subject, settings, &*numerics, &()).unwrap();
    let page = Page {
        name: "shown",
        analysis: &analysis,
        size: SIZE,
        parameters,
        seed: Seed(7),
        checkpoints: &[],
        evaluations: &[],
        stills: &[],
        provenance: Provenance {
            manifest: None,
            config: None,
            seed: Some(7),
        },
    };
    let html = page.html();
    (analysis, body(&html))
}

/// The cell under a heading that begins so, in the row of a name.
fn cell(table: &Element, row: &str, heading: &str) -> String {
    let rows = table.all("tr");
    let headings: Vec<String> = rows[0].all("th").iter().map(|th| th.text()).collect();
    let column = headings.iter().position(|text| text.starts_with(heading));
    let column = column.unwrap_or_else(|| panic!("{heading}: {headings:?}"));
    let found = rows[1..].iter().find(|found| found.children()[0].text() == row);
    found.unwrap_or_else(|| panic!("no row {row}")).children()[column].text()
}

/// A name `0 to 3` as the page has it, A being state 0; other names as they are.
fn lettered(name: &str) -> String {
    let letter = |state: &str| state.parse::<u8>().ok().map(|state| char::from(b'A' + state));
    let pair = name.split_once(" to ").and_then(|(from, to)| Some((letter(from)?, letter(to)?)));
    pair.map_or_else(|| name.to_owned(), |(from, to)| format!("{from} to {to}"))
}

/// Of the colours from blue through white to red: positive where red.
fn sign(pixel: image::Rgb<u8>) -> f64 {
    (f64::from(pixel[0]) - f64::from(pixel[2])).signum()
}

/// Between the anchors of the scale from blue at -1 to red at 1.
fn colour(t: f64) -> [f64; 3] {
    let anchors = [
        [5.0, 48.0, 97.0],
        [67.0, 147.0, 195.0],
        [240.0, 240.0, 238.0],
        [214.0, 96.0, 77.0],
        [103.0, 0.0, 31.0],
    ];
    let place = 2.0 + 2.0 * t;
    let first = (place as usize).min(3);
    [0, 1, 2].map(|part: usize| anchors[first][part] + (place - first as f64) * (anchors[first + 1][part] - anchors[first][part]))
}

/// The units' table, pictures, maps and pairs, of bits and of groups.
#[test]
fn units_stand_under_their_headings_and_in_their_colours() {
    for (seed, layer) in [(3, Layer::Binary { units: 4 }), (4, Layer::Groups { sizes: vec![3, 2] })] {
        let parameters = random_layers(seed, 15, &layers(vec![layer]), 0.6);
        let (analysis, page) = shown(&parameters, 640, None);
        let units = &analysis.layer_units.as_ref().unwrap()[0];
        let table = page.by_id("units-table-1");
        let [w, a] = weights(&parameters);
        let (mut h, mut seen) = (0, 0);
        for unit in &units.units {
            let row = &unit.name;
            assert_eq!(cell(table, row, "σ"), unit.path_entropy_production.as_ref().unwrap().to_string());
            assert_eq!(cell(table, row, "changes"), unit.flip_rate.as_ref().unwrap().to_string());
            for component in &unit.components {
                let row = if unit.components.len() == 1 { &unit.name } else { &component.name };
                assert_eq!(cell(table, row, "activity"), component.activity.to_string());
                assert_eq!(cell(table, row, "correlation time"), component.correlation_time.to_string());
                assert_eq!(cell(table, row, "angle"), format!("{:.1}", component.angle.unwrap()));
                for (name, rows) in [("W", &w), ("A", &a)] {
                    let alt = format!("{name} of component {}", component.name);
                    let images = page.by_id("units-weights-1").all("img");
                    let image = images.iter().find(|image| image.attribute("alt") == alt).unwrap();
                    let image = picture(image.attribute("src")).to_rgb8();
                    assert_eq!(image.dimensions(), (SIZE.1 as u32, SIZE.0 as u32));
                    let most = rows.row(h).iter().fold(0.0_f64, |most, weight| most.max(weight.abs()));
                    for (pixel, weight) in image.pixels().zip(rows.row(h)).filter(|(_, weight)| weight.abs() > 0.1 * most) {
                        assert_eq!(sign(*pixel), weight.signum(), "{alt}");
                        seen += 1;
                    }
                }
                // The known columns: those of W on the left.
                assert!(units.components[h] == component.name);
                h += 1;
            }
        }
        assert!(seen > 60);
        maps_are_tables(&page, units);
        pairs_are_resolved(units, &analysis.estimate, &parameters);
    }
}

/// Near equilibrium the draws resolve no current: what scatters is not listed.
#[test]
fn what_scatters_is_not_called_a_current() {
    let mut parameters = random_layers(6, 15, &layers(vec![Layer::Binary { units: 4 }]), 0.6);
    parameters.forward = parameters.backward.t().to_owned();
    // Not to the last bit, so that nothing is known beforehand.
    parameters.forward[[0, 0]] += 1e-4;
    let (analysis, page) = shown(&parameters, 320, None);
    let units = &analysis.layer_units.as_ref().unwrap()[0];
    assert!(units.current_error.iter().any(|error| *error > 1e-6) && units.current.iter().any(|current| current.abs() > 1e-5));
    assert_eq!((units.resolved, units.after.len()), ((0, 6), 0));
    let under = page.by_id("units-current-1").of_class("under")[0].text();
    assert_eq!(under, "None can be told from zero.");
}

type OfLayer = latent_cycles::analysis::units::LayerUnits;

fn maps_are_tables(page: &Element, units: &OfLayer) {
    let symmetric = (&units.lag_one + &units.lag_one.t()) * 0.5;
    for (id, table, titles, between) in [
        (
            "units-covariance-1",
            &units.covariance,
            ["component", "component, at the same time"],
            Some((&units.together, "and")),
        ),
        (
            "units-lag-one-1",
            &symmetric,
            ["component", "component, a step before or after"],
            None,
        ),
        (
            "units-current-1",
            &units.current,
            ["component at t", "component at t + 1"],
            Some((&units.after, "then")),
        ),
    ] {
        let map = page.by_id(id);
        let image = picture(map.all("image")[0].attribute("href")).to_rgb8();
        let most = table.iter().fold(0.0_f64, |most, entry| most.max(entry.abs()));
        for ((row, column), entry) in table.indexed_iter() {
            let pixel = *image.get_pixel(column as u32, row as u32);
            if entry.abs() > 0.01 * most {
                assert_eq!(sign(pixel), entry.signum(), "{id} {row} {column}");
            }
            // As strong as the root of the entry: no other table would do.
            let expected = colour((entry.abs() / most).sqrt().copysign(*entry));
            for part in 0..3 {
                close(f64::from(pixel[part]), expected[part], 1.5, id);
            }
        }
        // The title of the rows stands on its side.
        let titled = |upright: bool| {
            let texts = map.all("text").into_iter();
            let texts = texts.filter(|text| text.is("mid") && text.text().starts_with("component"));
            let found = texts
                .map(|text| (text.text(), text))
                .find(|(_, text)| text.has("transform") != upright);
            found.unwrap().0
        };
        assert_eq!([titled(false), titled(true)], titles);
        if let Some((pairs, word)) = between {
            let under = map.of_class("under")[0].text();
            for pair in pairs.iter().take(6) {
                let name = |h: usize| &units.components[h];
                let line = format!("{} {word} {}: {}", name(pair.first), name(pair.second), pair.value);
                assert!(under.contains(&line), "{under} lacks {line}");
            }
        }
    }
}

/// Listed pairs are those that errors tell from zero, by errors and figures that are computed here once more.
fn pairs_are_resolved(units: &OfLayer, estimate: &Estimate, parameters: &Parameters) {
    let codes = Codes::of(&parameters.layers.all()[0]).matrix();
    let lag_one = |kernel: &latent_cycles::estimate::Kernel| Observables::of(&kernel.steady, &codes).moments().lag_one;
    let without: Vec<Array2<f64>> = estimate.without.iter().map(lag_one).collect();
    let of = |table: &dyn Fn(&Array2<f64>) -> f64| {
        let values: Vec<f64> = without.iter().map(table).collect();
        Figure::jackknife(table(&lag_one(&estimate.kernel)), &values)
    };
    let mut told = 0;
    let unit_of: Vec<usize> = (units.units.iter().enumerate())
        .flat_map(|(unit, found)| vec![unit; found.components.len()])
        .collect();
    for g in 0..codes.ncols() {
        for h in 0..codes.ncols() {
            let (lag, current) = (of(&|table| table[[g, h]]), of(&|table| table[[g, h]] - table[[h, g]]));
            close(units.lag_one[[g, h]], lag.value.unwrap(), 1e-12, "lag one");
            close(units.lag_one_error[[g, h]], lag.standard_error.unwrap(), 1e-12, "its error");
            close(units.current[[g, h]], current.value.unwrap(), 1e-12, "current");
            close(units.current_error[[g, h]], current.standard_error.unwrap(), 1e-12, "its error");
            told += usize::from(g < h && current.value.unwrap().abs() > 4.0 * current.standard_error.unwrap().max(2.5e-14));
        }
    }
    let all = codes.ncols() * (codes.ncols() - 1) / 2;
    assert_eq!(units.resolved, (told, all));
    assert_eq!(units.after.len(), told.min(12));
    assert!(units.together.iter().all(|pair| unit_of[pair.first] != unit_of[pair.second]));
}

/// Bars of the steps of a deeper chain: names in the order of the loop, lengths, signs and intervals.
#[test]
fn steps_of_the_loop_are_bars_of_their_figures() {
    let kinds = layers(vec![Layer::Binary { units: 3 }; 2]);
    let mut negative = 0;
    for seed in 0..3 {
        let mut parameters = random_layers(60 + seed, 15, &kinds, 0.5);
        // The second layer repeats the first, which sees more in an image than was meant: drawing takes back what looking produces.
        parameters.between[0].matrix = Array2::eye(3) * 8.0;
        parameters.between[0].bias.fill(-4.0);
        parameters.forward = &parameters.backward.t() * 3.0;
        let (analysis, page) = shown(&parameters, 64, None);
        let of_loop = analysis.layers.as_ref().unwrap();
        let chart = page.by_id("loop");
        let mut rows: Vec<(&str, &Figure)> = (["x → z 1", "z 1 → z 2", "z 2 → x"].into_iter())
            .zip(of_loop.steps.iter().map(|step| &step.path_entropy_production))
            .collect();
        rows.push(("all steps", &of_loop.path_entropy_production));
        rows.push(("last layer alone", &analysis.headline.path_entropy_production));
        let squeezed = |text: &Element| text.text().split_whitespace().collect::<Vec<_>>().join(" ");
        let names: Vec<String> = chart
            .all("text")
            .iter()
            .filter(|text| text.is("step") && text.is("end"))
            .map(|text| squeezed(text))
            .collect();
        assert_eq!(names, rows.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
        let values: Vec<String> = chart
            .all("text")
            .iter()
            .filter(|text| text.is("step") && text.is("start"))
            .map(|text| text.text())
            .collect();
        assert_eq!(values, rows.iter().map(|(_, figure)| figure.to_string()).collect::<Vec<_>>());
        // Zero is where the axis stands, and the unit follows from the longest bar.
        let zero = numbers(&chart.of_class("axis")[0].attribute("d").replace(['M', 'V'], " "))[0];
        let bars: Vec<&Element> = chart.all("rect");
        let value = |figure: &Figure| figure.value.unwrap();
        let (longest, of_longest) = (rows.iter().zip(&bars))
            .map(|((_, figure), bar)| (value(figure), bar.number("width")))
            .fold((0.0_f64, 0.0), |most, next| if next.0.abs() > most.0.abs() { next } else { most });
        let unit = of_longest / longest.abs();
        let at = |value: f64| zero + unit * value;
        let lines: Vec<Vec<f64>> = chart
            .of_class("rim")
            .iter()
            .map(|line| numbers(&line.attribute("d").replace(['M', 'H'], " ")))
            .collect();
        let drawn = rows.iter().filter(|(_, figure)| figure.low.is_some());
        for ((_, figure), line) in drawn.clone().zip(&lines) {
            close(line[0], at(figure.low.unwrap()), 0.2, "low");
            close(line[2], at(figure.high.unwrap()), 0.2, "high");
        }
        assert_eq!(drawn.count(), lines.len());
        for ((name, figure), bar) in rows.iter().zip(&bars) {
            close(bar.number("x"), at(value(figure).min(0.0)), 0.2, name);
            close(bar.number("width"), unit * value(figure).abs(), 0.2, name);
            negative += usize::from(value(figure) < -0.05 * longest.abs());
        }
    }
    assert!(negative > 0, "some bar to the left");
}

/// Tables and captions of the laws; figures that follow from others do.
#[test]
fn laws_stand_under_their_headings() {
    let parameters = random_layers(5, 15, &Layers::one_hot(5), 0.35);
    let (analysis, page) = shown(&parameters, 640, None);
    let laws = analysis.laws.as_ref().unwrap();
    let steady = &analysis.estimate.kernel.steady;
    let rows = page.by_id("law-theorems").all("tr");
    let headings: Vec<String> = rows[0].all("th").iter().map(|th| th.text()).collect();
    assert_eq!(headings[..2], ["path", "steps n"]);
    assert_eq!(headings[4..6], ["Var s / ⟨s⟩", "P(s < 0)"]);
    for (row, path) in rows[1..].iter().zip(&laws.paths) {
        let cells: Vec<String> = row.children().iter().map(|cell| cell.text()).collect();
        let figures = [
            &path.expected,
            &path.mean,
            &path.fano,
            &path.negative,
            &path.exponent,
            &path.integral,
        ];
        let kind = if path.images { "whole" } else { "latent" };
        let expected = [kind.to_owned(), path.steps.to_string()]
            .into_iter()
            .chain(figures.map(Figure::to_string));
        assert_eq!(cells, expected.collect::<Vec<_>>());
        // Variance over mean of a nearly normal s is near 2; a path of n steps has n sigma.
        assert!((0.5..6.0).contains(&path.fano.value.unwrap()), "{:?}", path.fano);
    }
    let whole: Vec<bool> = laws.paths.iter().map(|path| path.images).collect();
    assert_eq!(whole, [false, false, false, true, true, true]);

    // One step, from the definition.
    let step = &laws.step;
    let (mut mean, mut square, mut negative) = (0.0, 0.0, 0.0);
    let mut probable = std::collections::BTreeMap::new();
    for (s, p) in steady.step_entropies() {
        mean += p * s;
        square += p * s * s;
        negative += if s < 0.0 { p } else { 0.0 };
        probable.insert((s * 1e12) as i64, p);
    }
    let variance = square - mean * mean;
    let near = |figure: &Figure, value: f64| {
        let (found, error) = (figure.value.unwrap(), figure.standard_error.unwrap());
        // The correction of the bias is a part of the error.
        assert!((found - value).abs() < 0.6 * error + 1e-12, "{figure:?} instead of {value}");
        assert!(error < 0.5 * value, "{figure:?}");
    };
    near(&step.variance, variance);
    near(&step.fano, variance / mean);
    near(&step.negative, negative);
    let caption = page.by_id("law-step").all("figcaption")[0].text();
    let shown: Vec<String> = ["a share of ", "Mean ", "variance over mean ", "nats; "]
        .map(|before| {
            caption
                .split(before)
                .nth(1)
                .unwrap_or_else(|| panic!("{caption}"))
                .split([',', ';'])
                .next()
                .unwrap()
                .to_owned()
        })
        .to_vec();
    assert!(
        shown[0].starts_with(&step.zero.to_string()) && shown[1].starts_with(&step.mean.to_string()),
        "{caption}"
    );
    assert!(shown[2].starts_with(&step.fano.to_string()), "{caption}");
    assert!(
        caption.contains(&format!("{} of all steps run against", step.negative)),
        "{caption}"
    );

    // Simulated steps: errors of the mirrored points are what the bins scatter by.
    let simulated = laws.paths[0].histogram.as_ref().unwrap();
    let exact = &step.histogram;
    let scatter: Vec<f64> = (0..exact.s.len())
        .filter(|&bin| simulated.mirrored_error[bin] > 0.0 && simulated.mirrored[bin] > 3.0 * simulated.mirrored_error[bin])
        .map(|bin| ((simulated.mirrored[bin] - exact.probability[bin]) / simulated.mirrored_error[bin]).powi(2))
        .collect();
    let root = (scatter.iter().sum::<f64>() / scatter.len() as f64).sqrt();
    assert!(scatter.len() > 12 && (0.6..1.5).contains(&root), "{root} of {}", scatter.len());
    // An event of N independent paths has the error of a share.
    for path in &laws.paths {
        if let (Some(share), Some(error)) = (path.negative.value, path.negative.standard_error) {
            let expected = (share * (1.0 - share) / path.paths as f64).sqrt();
            assert!((0.6..1.6).contains(&(error / expected)), "{:?}", path.negative);
        }
    }

    let relation = laws.uncertainty.as_ref().unwrap();
    let sigma = analysis.headline.entropy_production.clone();
    close(
        relation.bound.low.unwrap(),
        least_relative_variance(sigma.high.unwrap()),
        1e-9,
        "bound, low",
    );
    close(
        relation.bound.high.unwrap(),
        least_relative_variance(sigma.low.unwrap()),
        1e-9,
        "bound, high",
    );
    let table = page.by_id("law-uncertainty");
    for current in &relation.currents {
        for (heading, figure) in [
            ("mean", &current.mean),
            ("variance", &current.variance),
            ("D/j²", &current.relative_variance),
            ("times the bound", &current.times_sharper_bound),
            ("Dσ/j²", &current.continuous),
        ] {
            assert_eq!(cell(table, &lettered(&current.name), heading), figure.to_string());
        }
        let [j, d, relative, continuous] =
            [&current.mean, &current.variance, &current.relative_variance, &current.continuous].map(|figure| figure.value.unwrap());
        // But for the corrections of their biases.
        assert!((0.5..2.0).contains(&(d / (j * j) / relative)), "{current:?}");
        close(relative * sigma.value.unwrap() / continuous, 1.0, 1e-9, "Dσ/j²");
        let (low, high) = (current.continuous.low.unwrap(), current.continuous.high.unwrap());
        let told = if high < 2.0 {
            Some(true)
        } else if low >= 2.0 {
            Some(false)
        } else {
            None
        };
        assert_eq!(current.violates_continuous, told);
        let words = match told {
            Some(true) => "below 2",
            Some(false) => "2 or above",
            None => "not told",
        };
        assert_eq!(cell(table, &lettered(&current.name), "continuous"), words);
    }
    let caption = table.all("figcaption")[0].text();
    assert!(caption.contains(&format!("= {} (Proesmans", relation.bound)), "{caption}");
    assert!(caption.contains(&format!("1/Π − 1 = {}", relation.sharper_bound)), "{caption}");
}

/// Machines whose states follow each other in turn, the more surely the steeper they are: currents below the bound of continuous time are called so.
#[test]
fn a_current_below_the_bound_of_continuous_time_is_called_so() {
    let (mut just_below, mut above) = (0, 0);
    for steepness in 1..=12 {
        let mut parameters = random_layers(8, 15, &Layers::one_hot(3), 1.0);
        for i in 0..15 {
            for k in 0..3 {
                parameters.forward[[i, (k + 1) % 3]] = 0.1 * steepness as f32 * parameters.backward[[k, i]];
            }
        }
        let estimate = Estimate::of(&parameters).unwrap();
        let relation = UncertaintyRelation::of(&estimate, &()).unwrap().unwrap();
        for current in &relation.currents {
            let value = current.continuous.value.unwrap();
            assert_eq!(current.violates_continuous, Some(value < 2.0), "{value}");
            just_below += usize::from((1.0..2.0).contains(&value));
            above += usize::from(value >= 2.0);
        }
    }
    assert!(just_below > 0 && above > 0, "{just_below} {above}");
}

/// The distribution of s and the time series, on their axes.
#[test]
fn charts_of_the_laws_have_their_figures_at_their_places() {
    let parameters = random_layers(5, 15, &Layers::one_hot(5), 0.7);
    let (analysis, page) = shown(&parameters, 0, None);
    let laws = analysis.laws.as_ref().unwrap();
    let exponent = |text: &str| {
        let digits: String = text
            .chars()
            .skip(2)
            .map(|c| {
                "⁰¹²³⁴⁵⁶⁷⁸⁹"
                    .chars()
                    .position(|power| power == c)
                    .map_or('-', |digit| char::from(b'0' + digit as u8))
            })
            .collect();
        if text == "1" { 0.0 } else { number(&digits) }
    };
    let axes = |chart: &Element, log_y: bool| {
        let texts = chart.all("text");
        let at = |class: &str, along: &str| {
            let labels = texts
                .iter()
                .filter(|text| text.is(class) && text.is("small") && !text.has("transform"));
            labels.map(|text| (text.text(), text.number(along))).collect::<Vec<_>>()
        };
        let x: Vec<(f64, f64)> = at("mid", "x")
            .into_iter()
            .filter_map(|(text, x)| Some((text.replace('−', "-").parse().ok()?, x)))
            .collect();
        let y: Vec<(f64, f64)> = at("end", "y")
            .into_iter()
            .map(|(text, y)| (if log_y { exponent(&text) } else { number(&text) }, y - 4.0))
            .collect();
        [x, y]
    };
    let along = |labels: &[(f64, f64)], value: f64| {
        let (first, last) = (labels[0], labels[labels.len() - 1]);
        first.1 + (last.1 - first.1) * (value - first.0) / (last.0 - first.0)
    };
    for (id, bars, points) in [
        ("law-step", &laws.step.histogram, laws.paths[0].histogram.as_ref().unwrap()),
        (
            "law-path",
            laws.paths[3].histogram.as_ref().unwrap(),
            laws.paths[3].histogram.as_ref().unwrap(),
        ),
    ] {
        let chart = page.by_id(id);
        let [x, y] = axes(chart, true);
        let lowest = y[0].0;
        let is_shown = |value: f64| value > 0.0 && value.log10() > lowest;
        let drawn = chart.of_class("law-bar");
        let expected: Vec<usize> = (0..bars.s.len()).filter(|&bin| is_shown(bars.probability[bin])).collect();
        assert_eq!(drawn.len(), expected.len());
        for (bar, &bin) in drawn.iter().zip(&expected) {
            // Labels of the axis have three digits.
            close(bar.number("x") + 0.5 * bar.number("width"), along(&x, bars.s[bin]), 2.0, "bar");
            close(bar.number("y"), along(&y, bars.probability[bin].log10()), 0.2, "top of a bar");
        }
        let (circles, errors) = (chart.of_class("law-point"), chart.of_class("law-error"));
        let expected: Vec<usize> = (0..points.s.len()).filter(|&bin| is_shown(points.mirrored[bin])).collect();
        assert_eq!(circles.len(), expected.len());
        for ((circle, error), &bin) in circles.iter().zip(&errors).zip(&expected) {
            close(circle.number("cx"), along(&x, points.s[bin]), 2.0, "point");
            close(circle.number("cy"), along(&y, points.mirrored[bin].log10()), 0.2, "point");
            let ends = numbers(&error.attribute("d").replace(['M', 'V'], " "));
            let high = points.mirrored[bin] + 2.0 * points.mirrored_error[bin];
            close(ends[2], along(&y, high.log10().min(y[y.len() - 1].0)), 0.2, "two standard errors");
        }
    }
    let chart = page.by_id("law-series");
    let [_, y] = axes(chart, false);
    let (circles, bars) = (chart.of_class("law-point"), chart.of_class("law-error"));
    let mut marks = circles.iter().zip(&bars);
    for series in &laws.time_series {
        for (class, reading) in [("first", &series.both_ways), ("second", &series.half_added)] {
            let (circle, bar) = marks.next().unwrap();
            assert!(circle.is(class) && bar.is(class));
            close(circle.number("cy"), along(&y, reading.mean), 1.0, "mean");
            let ends = numbers(&bar.attribute("d").replace(['M', 'V'], " "));
            close(
                ends[1] - ends[2],
                along(&y, reading.mean - reading.spread) - along(&y, reading.mean + reading.spread),
                0.4,
                "spread",
            );
            let truth = series.exact.value.unwrap();
            close(reading.bias.value.unwrap(), reading.mean - truth, 1e-9, "bias");
            close(
                reading.bias.standard_error.unwrap(),
                reading.spread / (series.repetitions as f64).sqrt(),
                1e-9,
                "its error",
            );
        }
    }
    let caption = chart.all("figcaption")[0].text();
    assert!(
        caption.contains("Blue: pairs of states seen in both directions") && caption.contains("Orange: half a transition"),
        "{caption}"
    );
    // Long series of a chain whose steps all have ways back are nearly right.
    let longest = &laws.time_series[2];
    assert!(
        longest.both_ways.bias.value.unwrap().abs() < 0.1 * longest.exact.value.unwrap(),
        "{longest:?}"
    );
}

/// What the program says of the theorem is of the paths that it names.
#[test]
fn the_lines_on_laws_are_of_the_paths_that_they_name() {
    let folder = tempfile::tempdir().unwrap();
    let parameters = random_layers(5, 15, &Layers::one_hot(5), 0.7);
    latent_cycles::record::save_model(&folder.path().join("model.mpk"), &parameters).unwrap();
    let said = crate::known::succeeds(folder.path(), "analyze model.mpk --out out");
    let found = crate::analyze::analysis(&folder.path().join("out"));
    let line = said.lines().find(|line| line.starts_with("fluctuation theorem")).unwrap();
    for path in found["laws"]["paths"].as_array().unwrap().iter().filter(|path| path["steps"] == 1) {
        let figure: Figure = serde_json::from_value(path["exponent"].clone()).unwrap();
        let kind = if path["images"] == true { "with images" } else { "latent" };
        assert!(line.contains(&format!("{figure} ({kind})")), "{line} lacks {figure} ({kind})");
    }
}
