//! A sweep's files and page, read as a reader does: of runs whose figures were written by hand.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::analyze::analysis;
use crate::command::run;
use crate::common::program;
use crate::html::{Element, body, close, number, numbers, rounded};
use crate::known::{self, succeeds};

/// Figures of a run, by their names in analysis.json.
type Figures = BTreeMap<&'static str, f64>;

const KEYS: [(&str, &str); 9] = [
    ("log_likelihood_train", "Log-likelihood, train"),
    ("log_likelihood_test", "Log-likelihood, test"),
    ("entropy_production", "Entropy production"),
    ("path_entropy_production", "Path entropy production"),
    ("self_transition", "Self-transition"),
    ("class_kl", "Class divergence"),
    ("relaxation_time", "Relaxation time"),
    ("autocorrelation_time", "Autocorrelation time, pixels"),
    ("class_autocorrelation_time", "Autocorrelation time, class"),
];
const SEEDS: u64 = 5;
/// Of the variants: first, baseline, last. The second of four fails.
const VARIANTS: [&str; 3] = ["early", "base", "late"];

/// The figures that are written for a run: entropy productions over four decades, one of them zero; every figure another.
fn by_hand(variant: usize, seed: u64) -> Figures {
    let n = (variant as u64 * SEEDS + seed) as f64;
    // Equidistributed, and in no order of the runs.
    let scattered = |factor: f64| (n * n * factor).fract();
    let sigma = match n {
        7.0 => 0.0,
        _ => 10.0_f64.powf(-2.0 + 4.0 * scattered(0.618)),
    };
    BTreeMap::from([
        ("log_likelihood_train", -100.0 - 3.0 * variant as f64 - 10.0 * scattered(0.367)),
        ("log_likelihood_test", -130.0 + 5.0 * variant as f64 - 10.0 * scattered(0.792)),
        ("entropy_production", sigma),
        ("path_entropy_production", sigma + 20.0 + n),
        ("self_transition", 0.1 + 0.8 * scattered(0.271)),
        ("class_kl", 10.0_f64.powf(-3.0 + 3.5 * scattered(0.437))),
        ("relaxation_time", 2.0 + scattered(0.529)),
        ("autocorrelation_time", 0.5 + scattered(0.661)),
        ("class_autocorrelation_time", 0.5 + scattered(0.713)),
    ])
}

/// Half of an interval, a different one on each side.
fn reach(value: f64) -> [f64; 2] {
    [0.01 * value.abs() + 1e-4, 0.03 * value.abs() + 1e-4]
}

/// A sweep of four variants, the second of which fails, whose other runs' figures were then replaced by those made by hand; and the same again,
/// from where it stands: the failing run alone is tried anew.
fn swept() -> (tempfile::TempDir, BTreeMap<String, Figures>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    known::train(path);
    let text = "title = \"By hand\"\nbaseline = \"base\"\nsamples = 32
[set]
data = { source = \"idx\", images = \"train-images\", labels = \"train-labels\", test_images = \"test-images\", test_labels = \"test-labels\", classes = \"all\", max_images = 200 }
training = { steps = 2, batch_size = 50, chains = 11 }
evaluation = { every = 1, samples = 20 }
[grid]
training.seed = \"1..5\"
[[variants]]
name = \"early\"
set.model.latent = 3
[[variants]]
name = \"hungry\"
set.training.batch_size = 500
grid.training.seed = [1]
[[variants]]
name = \"base\"
set.model.latent = 4
[[variants]]
name = \"late\"
set.model.latent = 12
[[figures]]
name = \"by-hand\"
title = \"Both <by> hand\"
x = \"relaxation_time\"
y = \"class_kl\"
along = \"variant\"
";
    std::fs::write(path.join("sweep.toml"), text).unwrap();
    let sweep = |more: &[&str]| {
        let arguments = ["sweep", "--quiet", "--config", "sweep.toml", "--out", "out"];
        let (status, stdout, stderr) = run(program().args(arguments).args(more).current_dir(path));
        assert!(
            status == 1 && stdout.is_empty() && stderr.contains("1 of 16 runs failed: hungry-seed-1"),
            "{stderr}"
        );
    };
    sweep(&[]);
    let mut all = BTreeMap::new();
    for (variant, name) in VARIANTS.into_iter().enumerate() {
        for seed in 1..=SEEDS {
            let name = format!("{name}-seed-{seed}");
            let file = path.join(format!("out/runs/{name}/analysis/analysis.json"));
            let mut content = analysis(file.parent().unwrap());
            assert!(
                content["method"].as_str().unwrap().contains(" 32 images from each state"),
                "{}",
                content["method"]
            );
            let figures = by_hand(variant, seed);
            for (key, value) in &figures {
                let [below, above] = reach(*value);
                content[*key] = json!({ "value": value, "low": value - below, "high": value + above });
            }
            std::fs::write(&file, content.to_string()).unwrap();
            all.insert(name, figures);
        }
    }
    sweep(&["--resume"]);
    (folder, all)
}

/// The rows of a table's body: the text of each cell, and the cell.
fn rows<'a>(page: &'a Element, id: &str) -> Vec<(String, Vec<&'a Element>)> {
    let body = page.by_id(id).all("tbody")[0];
    let row = |row: &&'a Element| {
        let cells: Vec<&Element> = row.all("td");
        (row.all("th")[0].text(), cells)
    };
    body.all("tr").iter().map(row).collect()
}

fn own(cell: &Element) -> String {
    cell.own_text()
}

/// Every row of summary.csv and of the page's last table has the figures of the run that it names.
#[test]
fn figures_of_a_sweep_stand_beside_the_names_of_their_runs() {
    let (folder, figures) = swept();
    let out = folder.path().join("out");
    let mut reader = csv::Reader::from_path(out.join("summary.csv")).unwrap();
    let table: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let mut times = csv::Reader::from_path(out.join("times.csv")).unwrap();
    let seconds: BTreeMap<String, String> = times.deserialize().map(Result::unwrap).collect();
    assert!(
        seconds
            .keys()
            .eq(table.iter().map(|row| &row["run"]).collect::<std::collections::BTreeSet<_>>())
    );
    let names: Vec<&str> = table.iter().map(|row| row["run"].as_str()).collect();
    let planned = |variant: &str, seeds: u64| (1..=seeds).map(|seed| format!("{variant}-seed-{seed}")).collect::<Vec<_>>();
    let expected = [
        planned("early", SEEDS),
        planned("hungry", 1),
        planned("base", SEEDS),
        planned("late", SEEDS),
    ]
    .concat();
    assert_eq!(names, expected);
    for row in &table {
        let (variant, seed) = row["run"].split_once("-seed-").unwrap();
        assert_eq!((row["variant"].as_str(), row["training.seed"].as_str()), (variant, seed));
        let folder = out.join("runs").join(&row["run"]);
        let Some(figures) = figures.get(&row["run"]) else {
            assert_eq!((row["status"].as_str(), row["entropy_production"].as_str()), ("failed", ""));
            continue;
        };
        assert_eq!((row["status"].as_str(), row["steps"].as_str()), ("finished", "2"));
        let config = std::fs::read_to_string(folder.join("config.toml")).unwrap();
        assert!(config.contains(&format!("latent = {}\n", row["model.latent"])), "{config}");
        let last = crate::command::metrics(&folder).pop().unwrap();
        close(number(&seconds[&row["run"]]), last["seconds"].as_f64().unwrap(), 0.00051, "seconds");
        let found = analysis(&folder.join("analysis"));
        for (key, _) in KEYS {
            let expected = figures[key];
            close(
                number(&row[key]),
                expected,
                1e-12 * expected.abs(),
                &format!("{key} of {}", row["run"]),
            );
            for end in ["low", "high"] {
                assert_eq!(
                    number(&row[&format!("{key}_{end}")]),
                    found[key][end].as_f64().unwrap(),
                    "{key}_{end}"
                );
            }
        }
    }

    let page = body(&std::fs::read_to_string(out.join("report.html")).unwrap());
    let listed = rows(&page, "runs");
    assert_eq!(listed.len(), table.len());
    let headings: Vec<String> = page.by_id("runs").all("thead")[0].all("th").iter().map(|th| own(th)).collect();
    assert_eq!(headings[2..], KEYS.map(|(_, title)| title.to_owned()));
    for ((name, cells), row) in listed.iter().zip(&table) {
        assert_eq!(name.split_whitespace().next().unwrap(), row["run"]);
        let Some(figures) = figures.get(&row["run"]) else {
            assert!(name.ends_with("failed") && cells[1].text() == "-", "{name}");
            continue;
        };
        let [time, cells @ ..] = &cells[..] else { panic!("no cell") };
        close(number(&time.text()), number(&seconds[&row["run"]]), 0.051, "seconds");
        for (cell, (key, _)) in cells.iter().zip(KEYS) {
            let text = cell.text();
            // `value (low to high)`, or `value ± half width`.
            rounded(text.split([' ', '±']).next().unwrap(), figures[key], &format!("{key} of {name}"));
        }
    }
    let header = page.all("header")[0].text();
    assert!(
        header.contains("16 runs in 4 settings: 15 finished, 1 failed, 0 missing"),
        "{header}"
    );
    let seconds: f64 = seconds.values().filter_map(|seconds| seconds.parse::<f64>().ok()).sum();
    close(
        numbers(header.split("missing;").nth(1).unwrap())[0],
        seconds,
        0.51,
        "seconds in all",
    );
    assert_eq!(page.by_id("failures").all("a")[0].text(), "hungry-seed-1");
}

/// Every point stands where its run's figures say, leads to that run's page, and has the colour of its value in the legend.
#[test]
fn points_of_a_sweep_are_its_runs() {
    let (folder, figures) = swept();
    let text = std::fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    let page = body(&text);
    let style = &text[..text.find("</style>").unwrap()];
    // The colour of a class: of points, and of the legend's spots.
    let colour = |selector: &str, property: &str| {
        let rule = style.split(selector).nth(1).unwrap_or_else(|| panic!("{selector}"));
        rule.split(&format!("{property}: "))
            .nth(1)
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned()
    };
    let labels: Vec<String> = page.by_id("scatters").all("label").iter().map(|label| label.text()).collect();
    assert_eq!(labels, ["variant", "model.latent", "training.seed"]);
    // What each colour stands for, by the legends.
    let legends: Vec<BTreeMap<String, String>> = (0..labels.len())
        .map(|number| {
            let entries = page.by_id(&format!("legend-{number}")).children().into_iter();
            let entries = entries.map(|entry| {
                let class = entry.all("i")[0].attribute("class").to_owned();
                (colour(&format!(" i.{class} {{"), "background"), entry.text())
            });
            entries.collect()
        })
        .collect();
    assert_eq!(legends[2].values().collect::<Vec<_>>().len(), SEEDS as usize);
    let latent = |variant: &str| match variant {
        "early" => "3",
        "base" => "4",
        _ => "12",
    };
    for (key, title) in ["log_likelihood_train", "log_likelihood_test", "self_transition", "class_kl"]
        .map(|key| KEYS.into_iter().find(|(own, _)| *own == key).unwrap())
    {
        let figure = page.by_id(&format!("scatter-{key}"));
        assert_eq!(figure.all("h3")[0].text(), title);
        let svg = figure.all("svg")[0];
        let texts = || svg.all("text").into_iter();
        let described = |unit: &str| {
            let found = texts().map(Element::text).find(|text| text.contains(unit));
            found.unwrap_or_else(|| panic!("no axis of {unit}")).contains("logarithmic")
        };
        let unit = match key {
            "self_transition" => "per step",
            "class_kl" => "nats",
            _ => "nats per image",
        };
        let across_by_decades = described("entropy production, nats per step");
        let up_by_decades = texts().any(|text| text.text().starts_with(unit) && text.text().contains("logarithmic"));
        assert!(texts().any(|text| text.text().starts_with(unit)), "{unit}");
        assert_eq!((across_by_decades, up_by_decades), (true, key == "class_kl"));
        // An axis by its labels: pixels of 0 and of a unit, or a decade; and of the label 0 where zero stands apart.
        let axis = |anchor: &str, along: &str, decades: bool| {
            let ticks: Vec<(f64, f64)> = texts()
                .filter(|text| text.attribute("text-anchor") == anchor && text.text().parse::<f64>().is_ok())
                .map(|text| (number(&text.text()), text.number(along)))
                .collect();
            let zero = ticks.iter().find(|(value, _)| decades && *value == 0.0).map(|(_, place)| *place);
            let scaled: Vec<(f64, f64)> = ticks
                .into_iter()
                .filter(|(value, _)| !decades || *value > 0.0)
                .map(|(value, place)| (if decades { value.log10() } else { value }, place))
                .collect();
            assert!(scaled.len() >= 2, "{scaled:?}");
            let (first, last) = (scaled[0], scaled[scaled.len() - 1]);
            let unit = (last.1 - first.1) / (last.0 - first.0);
            assert!(
                scaled
                    .iter()
                    .all(|(value, place)| (first.1 + unit * (value - first.0) - place).abs() < 1.1),
                "{scaled:?}"
            );
            move |value: f64| match zero {
                Some(zero) if value == 0.0 => zero,
                _ => first.1 + unit * (if decades { value.log10() } else { value } - first.0),
            }
        };
        let across = axis("middle", "x", across_by_decades);
        let up = axis("end", "y", up_by_decades);
        assert!(across(1.0) < across(10.0) && up(1.0) > up(2.0), "larger to the right and upward");
        let mut seen = Vec::new();
        for link in svg.of_class("points")[0].all("a") {
            let point = link.all("circle")[0];
            let tooltip = point.all("title")[0].text();
            let mut lines = tooltip.lines();
            let name = lines.next().unwrap().to_owned();
            let figures = &figures[&name];
            for (line, (key, title)) in lines.zip(KEYS) {
                let value = line.strip_prefix(&format!("{title}: ")).unwrap_or_else(|| panic!("{line}"));
                rounded(value.split([' ', '±']).next().unwrap(), figures[key], &format!("{key} of {name}"));
            }
            close(
                point.number("cx"),
                across(figures["entropy_production"]),
                1.6,
                &format!("{name} across"),
            );
            close(point.number("cy"), up(figures[key]), 1.6, &format!("{name} upward, {key}"));
            assert_eq!(link.attribute("href"), format!("runs/{name}/analysis/report.html"));
            let (variant, seed) = name.split_once("-seed-").unwrap();
            let classes: Vec<&str> = point.attribute("class").split_whitespace().collect();
            for ((class, legend), value) in classes.iter().zip(&legends).zip([variant, latent(variant), seed]) {
                let colour = colour(&format!(" .figures .{class} {{"), "fill");
                assert_eq!(legend[&colour], value, "{name}");
            }
            assert_eq!(classes.len(), legends.len());
            seen.push(name);
        }
        seen.sort();
        assert!(seen.iter().eq(figures.keys()), "{seen:?}");
    }
}

/// Of one setting's values: mean, standard deviation, half width of Student's 95% interval of the mean with four degrees of freedom.
fn sample(values: &[f64]) -> (f64, f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    assert_eq!(values.len(), 5);
    (mean, deviation, 2.776_445_105 * deviation / n.sqrt())
}

/// `value ± half`, or `value` and `half` in powers of ten.
fn mean_and_half(text: &str, mean: f64, half: f64, what: &str) {
    let (shown, shown_half) = text.split_once(" ± ").unwrap_or_else(|| panic!("{what}: {text}"));
    rounded(shown, mean, what);
    rounded(shown_half, half, &format!("half width, {what}"));
}

/// Ranks among distinct values, less their mean.
fn centered_ranks(values: &[f64]) -> Vec<f64> {
    let below = |value: &f64| values.iter().filter(|other| *other < value).count() as f64;
    values
        .iter()
        .map(|value| below(value) - 0.5 * (values.len() as f64 - 1.0))
        .collect()
}

/// Spearman's correlation of pairs in strata.
fn rank_correlation(strata: &[Vec<(f64, f64)>]) -> f64 {
    let (mut both, mut first, mut second) = (0.0, 0.0, 0.0);
    for stratum in strata {
        let (x, y): (Vec<f64>, Vec<f64>) = stratum.iter().copied().unzip();
        for (u, v) in centered_ranks(&x).into_iter().zip(centered_ranks(&y)) {
            both += u * v;
            first += u * u;
            second += v * v;
        }
    }
    both / (first * second).sqrt()
}

/// Settings, correlations and differences of the page, each recomputed.
#[test]
fn what_a_sweep_says_of_its_runs_together_is_true() {
    let (folder, figures) = swept();
    let page = body(&std::fs::read_to_string(folder.path().join("out/report.html")).unwrap());
    let of = |variant: &str, key: &str| -> Vec<f64> { (1..=SEEDS).map(|seed| figures[&format!("{variant}-seed-{seed}")][key]).collect() };
    let settings = rows(&page, "settings");
    let names: Vec<&str> = settings.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["early", "hungry", "base", "late"]);
    for (name, cells) in &settings {
        if name == "hungry" {
            assert_eq!((cells[0].text().as_str(), cells[1].text().as_str()), ("0 of 1", "-"));
            continue;
        }
        assert_eq!(cells[0].text(), "5 of 5");
        for (cell, (key, title)) in cells[1..].iter().zip(KEYS) {
            let mut values = of(name, key);
            let what = format!("{title} of {name}");
            let (mean, deviation, half) = sample(&values);
            mean_and_half(&own(cell), mean, half, &what);
            values.sort_by(f64::total_cmp);
            let small = cell.all("small")[0].text();
            // `s 1.2, median 3.4, 5.6 to 7.8`
            let said: Vec<&str> = small.split([' ', ',']).filter(|word| !word.is_empty()).collect();
            let [_, s, _, median, least, _, most] = said[..] else {
                panic!("{small}")
            };
            for (said, expected) in [(s, deviation), (median, values[2]), (least, values[0]), (most, values[4])] {
                rounded(said, expected, &format!("{what}: {small}"));
            }
        }
    }

    let correlations = rows(&page, "correlations");
    for ((name, cells), (key, title)) in correlations.iter().zip(&KEYS[..2]) {
        assert_eq!(name, title);
        let counts: Vec<String> = cells[..3].iter().map(|cell| cell.text()).collect();
        assert_eq!(counts, ["15", "3", "5"], "runs, settings, seeds");
        let pairs = |variant: &str| -> Vec<(f64, f64)> { of(variant, "entropy_production").into_iter().zip(of(variant, key)).collect() };
        let strata = VARIANTS.map(pairs);
        let mean = |stratum: &Vec<(f64, f64)>| {
            let sum = stratum.iter().fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
            (sum.0 / stratum.len() as f64, sum.1 / stratum.len() as f64)
        };
        let means: Vec<(f64, f64)> = strata.iter().map(mean).collect();
        let expected = [
            rank_correlation(&strata),
            rank_correlation(&[means]),
            rank_correlation(&[strata.concat()]),
        ];
        for (cell, expected) in cells[3..].iter().zip(expected) {
            rounded(&own(cell), expected, &format!("{title}: {expected:?}"));
        }
        assert!(expected[0] != expected[1] && expected[1] != expected[2]);
    }
    let headings: Vec<String> = page.by_id("correlations").all("thead")[0]
        .all("th")
        .iter()
        .map(|th| th.text())
        .collect();
    assert_eq!(headings[4..], ["within settings", "across settings", "overall"]);

    let differences = rows(&page, "differences");
    let names: Vec<&str> = differences.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["early", "late"], "the variants but for the baseline");
    assert!(page.by_id("differences").all("h3")[0].text().contains("from base"));
    for (name, cells) in &differences {
        for (cell, (key, title)) in cells[2..].iter().zip(KEYS) {
            let pairs = of(name, key).into_iter().zip(of("base", key));
            let values: Vec<f64> = pairs.map(|(variant, base)| variant - base).collect();
            let (mean, _, half) = sample(&values);
            mean_and_half(&own(cell), mean, half, &format!("{title} of {name} less base"));
            let above = values.iter().filter(|difference| **difference > 0.0).count();
            assert_eq!(cell.all("small")[0].text(), format!("more in {above} of 5"));
        }
    }
    let summary: Value = serde_json::from_slice(&std::fs::read(folder.path().join("out/summary.json")).unwrap()).unwrap();
    let mean = &summary["settings"][2]["figures"]["class_kl"]["mean"];
    close(mean.as_f64().unwrap(), sample(&of("base", "class_kl")).0, 1e-12, "summary.json");
}

/// Without analyses a sweep's figures are the last of each run's training.
#[test]
fn figures_without_analyses_are_the_last_of_training() {
    let folder = tempfile::tempdir().unwrap();
    known::train(folder.path());
    let text = "analyze = false
[set]
data = { source = \"idx\", images = \"train-images\", labels = \"train-labels\", classes = \"all\" }
model.latent = 5
training = { steps = 9, batch_size = 50, chains = 11, learning_rate = 0.1 }
evaluation = { every = 3, samples = 50 }
[grid]
training.seed = [1, 2]
";
    std::fs::write(folder.path().join("sweep.toml"), text).unwrap();
    succeeds(folder.path(), "sweep --quiet --config sweep.toml --out out");
    let out = folder.path().join("out");
    let mut reader = csv::Reader::from_path(out.join("summary.csv")).unwrap();
    let table: Vec<BTreeMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    assert_eq!(table.len(), 2);
    for row in table {
        let lines = crate::command::metrics(&out.join("runs").join(&row["run"]));
        let (first, last) = (&lines[0], &lines[3]);
        for key in [
            "log_likelihood_train",
            "entropy_production",
            "path_entropy_production",
            "self_transition",
            "class_kl",
        ] {
            assert_ne!(first[key], last[key]);
            assert_eq!(number(&row[key]), last[key].as_f64().unwrap(), "{key}");
        }
        assert_eq!(row["log_likelihood_test"], "");
    }
    let page = body(&std::fs::read_to_string(out.join("report.html")).unwrap());
    assert!(page.by_id("scatter-class_kl").all("a").is_empty(), "there is no page to lead to");
}

/// A figure that the file asks for has a point for every setting that has both figures, at the means over its seeds; and it is a file besides.
#[test]
fn figures_that_are_asked_for_show_means_over_seeds() {
    let (folder, figures) = swept();
    let out = folder.path().join("out");
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    let page = body(&html);
    let chart = page.by_id("figure-by-hand");
    assert!(chart.text().contains("Both <by> hand"));
    let file = std::fs::read_to_string(out.join("figures/by-hand.svg")).unwrap();
    assert!(file.starts_with("<svg xmlns=") && !file.contains("var(--") && file.matches("<circle").count() == 3 + 1);
    let points: Vec<String> = chart.all("title").iter().map(|title| title.text()).collect();
    assert_eq!(points.len(), 3, "{points:?}");
    for (variant, point) in VARIANTS.iter().zip(&points) {
        let mean = |key: &str| {
            let values: Vec<f64> = (1..=SEEDS).map(|seed| figures[&format!("{variant}-seed-{seed}")][key]).collect();
            values.iter().sum::<f64>() / SEEDS as f64
        };
        let expected = format!("{variant}: {:.5}, {:.5}", mean("relaxation_time"), mean("class_kl"));
        assert_eq!(*point, expected);
    }
    // Up is more: the heights stand in the order of the means.
    let heights: Vec<f64> = chart.all("circle").iter().map(|circle| circle.number("cy")).collect();
    let kl = |variant: &str| {
        (1..=SEEDS)
            .map(|seed| figures[&format!("{variant}-seed-{seed}")]["class_kl"])
            .sum::<f64>()
    };
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        assert_eq!(heights[a] < heights[b], kl(VARIANTS[a]) > kl(VARIANTS[b]));
    }
}
