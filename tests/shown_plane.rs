//! What the page shows of a plane or a line: colours, lines, arrows, images and points where they belong on axes read from their labels.

use latent_cycles::analysis::Analysis;
use latent_cycles::analysis::files::npz;
use latent_cycles::codes::Layer;
use latent_cycles::data::packed::PackedImages;
use latent_cycles::evaluation::Reference;
use latent_cycles::latent::SteadyState;
use latent_cycles::latent::plane::Field;
use latent_cycles::model::Parameters;
use ndarray::{Array1, Array2, Array3};
use ndarray_npy::NpzReader;

use crate::common::random_images;
use crate::html::{Element, close, number, numbers, picture};
use crate::layered::random_layers;
use crate::shown::{SIZE, layers, shown};

fn model(dimensions: usize) -> Parameters {
    let grid = Layer::Grid {
        dimensions,
        points: 7,
        range: 2.5,
    };
    let mut parameters = random_layers(21, 15, &layers(vec![grid]), 0.8);
    if dimensions == 2 {
        // What turns: W is A^T turned by some 40 degrees, and a bias moves the centre off the diagonal.
        let a = parameters.backward.clone();
        for i in 0..15 {
            parameters.forward[[i, 0]] = 0.5 * a[[0, i]] - 0.4 * a[[1, i]];
            parameters.forward[[i, 1]] = 0.4 * a[[0, i]] + 0.5 * a[[1, i]];
        }
        parameters.forward_bias[0] += 0.5;
    }
    parameters
}

/// Axes from the numbers that stand at them.
struct Axes {
    x: (f64, f64),
    y: (f64, f64),
}

impl Axes {
    fn of(svg: &Element) -> Self {
        let labels = |anchor: &str, along: &str, shift: f64| {
            let texts = svg.all("text").into_iter().filter(|text| text.is(anchor) && text.is("small"));
            let numbered = texts.filter_map(|text| Some((text.text().replace('−', "-").parse::<f64>().ok()?, text)));
            numbered
                .map(|(value, text)| (value, text.number(along) + shift))
                .collect::<Vec<_>>()
        };
        let line = |labels: &[(f64, f64)]| {
            let (first, last) = (labels[0], labels[labels.len() - 1]);
            let unit = (last.1 - first.1) / (last.0 - first.0);
            (first.1 - unit * first.0, unit)
        };
        Self {
            x: line(&labels("mid", "x", 0.0)),
            y: line(&labels("end", "y", -4.0)),
        }
    }

    fn place(&self, z: [f64; 2]) -> [f64; 2] {
        [self.x.0 + self.x.1 * z[0], self.y.0 + self.y.1 * z[1]]
    }

    fn z(&self, place: [f64; 2]) -> [f64; 2] {
        [(place[0] - self.x.0) / self.x.1, (place[1] - self.y.0) / self.y.1]
    }
}

fn near(found: [f64; 2], expected: [f64; 2], what: &str) {
    close(found[0], expected[0], 0.12, what);
    close(found[1], expected[1], 0.12, what);
}

/// x, y and angle of a mark that is moved and turned.
fn placed(mark: &Element) -> [f64; 3] {
    let numbers = numbers(&mark.attribute("transform").replace("translate(", "").replace("rotate(", ""));
    [numbers[0], numbers[1], numbers.get(2).copied().unwrap_or(0.0)]
}

/// psi at a point of the plane, between its four cells.
fn psi(analysis: &Analysis, z: [f64; 2]) -> f64 {
    let plane = analysis.plane.as_ref().unwrap();
    let stream = plane.field.stream();
    let cell = |h: usize| (z[h] - plane.axes[h][0]) / (plane.axes[h][1] - plane.axes[h][0]) + 0.5;
    let (u, v) = (cell(0).clamp(0.0, 6.999), cell(1).clamp(0.0, 6.999));
    let (i, j) = (u.floor() as usize, v.floor() as usize);
    let (s, t) = (u.fract(), v.fract());
    (1.0 - s) * ((1.0 - t) * stream[[i, j]] + t * stream[[i, j + 1]]) + s * ((1.0 - t) * stream[[i + 1, j]] + t * stream[[i + 1, j + 1]])
}

/// The two drawings of a figure.
fn drawings<'a>(page: &'a Element, id: &str) -> Vec<&'a Element> {
    page.by_id(id).of_class("panels")[0].children()
}

#[test]
fn the_plane_is_drawn_where_it_is() {
    let parameters = model(2);
    let (analysis, page) = shown(&parameters, 0, None);
    let plane = analysis.plane.as_ref().unwrap();
    let panels = drawings(&page, "plane-field");
    let axes = Axes::of(panels[0]);
    assert!(axes.x.1 > 0.0 && axes.y.1 < 0.0, "to the right and upward");

    // The background is the brighter the more probable.
    let image = panels[0].all("image")[0];
    let pixels = picture(image.attribute("href")).to_rgb8();
    let green = |z: [f64; 2]| {
        let [x, y] = axes.place(z);
        let share = |place: f64, start: &str, side: &str| (place - image.number(start)) / image.number(side);
        let pixel = |share: f64, count: u32| ((share * f64::from(count)) as u32).min(count - 1);
        f64::from(
            pixels.get_pixel(
                pixel(share(x, "x", "width"), pixels.width()),
                pixel(share(y, "y", "height"), pixels.height()),
            )[1],
        )
    };
    let largest = analysis.stationary.iter().copied().fold(0.0, f64::max);
    let mut dark = 0;
    for (state, pi) in analysis.stationary.iter().enumerate() {
        let z = [plane.axes[0][state / 7], plane.axes[1][state % 7]];
        let share = (pi / largest).sqrt();
        // From 14 at zero through 42, 84 and 133 to 178, at equal distances.
        let anchors = [14.0, 42.0, 84.0, 133.0, 178.0];
        let first = ((4.0 * share) as usize).min(3);
        let expected = anchors[first] + (4.0 * share - first as f64) * (anchors[first + 1] - anchors[first]);
        close(green(z), expected, 14.0, "brightness");
        dark += usize::from(share < 0.2);
    }
    assert!(dark > 5);
    let scale: Vec<String> = panels[0]
        .all("text")
        .iter()
        .filter(|text| text.is("start"))
        .map(|text| text.text())
        .collect();
    assert_eq!(scale, ["0".to_owned(), format!("{:.1e}", 0.25 * largest), format!("{largest:.1e}")]);

    // Vortices: where psi has its extremum, with the sense of the currents around it.
    assert!(!plane.vortices.is_empty());
    let curl = plane.field.flow.as_ref().unwrap().curl();
    let stream = plane.field.stream();
    let mut marks = panels[0].all("g").into_iter().filter(|g| !g.all("title").is_empty());
    for vortex in &plane.vortices {
        let z = [0, 1].map(|h: usize| vortex.centre[h].value.unwrap());
        let cell = [0, 1].map(|h: usize| ((z[h] - plane.axes[h][0]) / (plane.axes[h][1] - plane.axes[h][0]) + 0.5).round() as usize);
        assert_eq!(curl[[cell[0] - 1, cell[1] - 1]] > 0.0, vortex.is_counterclockwise);
        let around = [(0, 1), (2, 1), (1, 0), (1, 2)].map(|(i, j)| stream[[cell[0] + i - 1, cell[1] + j - 1]]);
        let here = stream[[cell[0], cell[1]]];
        assert!(
            around.iter().all(|psi| (here > *psi) == vortex.is_counterclockwise),
            "an extremum at the centre"
        );
        let mark = marks.next().unwrap();
        let [x, y, _] = placed(mark);
        near([x, y], axes.place(z), "centre of a vortex");
        let arc = mark.all("path")[0]
            .attribute("d")
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        // The sweep flag of an arc is 0 where it turns counterclockwise on the screen.
        let sweep = arc.iter().skip_while(|part| !part.contains("A11")).nth(4).unwrap();
        assert_eq!(sweep == "0", vortex.is_counterclockwise, "{arc:?}");
        assert!(mark.all("title")[0].text().starts_with(if vortex.is_counterclockwise {
            "counterclockwise"
        } else {
            "clockwise"
        }));
    }

    // Lines are levels of psi, as far apart as the caption says, with arrows along the current (d psi/dy, -d psi/dx).
    let caption = page.by_id("plane-field").all("figcaption")[0].text();
    let between = number(
        caption
            .split("neighbouring lines flow")
            .nth(1)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap(),
    );
    let (mut arrows, mut lines) = (0, Vec::new());
    for mark in panels[0].all("path") {
        let d = mark.attribute("d");
        if d.starts_with("M6 0L-4") && d.ends_with("4.2Z") && mark.has("transform") {
            let [x, y, angle] = placed(mark);
            let z = axes.z([x, y]);
            let h = 0.15;
            let along = (psi(&analysis, [z[0], z[1] + h]) - psi(&analysis, [z[0], z[1] - h])) / (2.0 * h);
            let up = -(psi(&analysis, [z[0] + h, z[1]]) - psi(&analysis, [z[0] - h, z[1]])) / (2.0 * h);
            let size = along.hypot(up);
            let aligned = (angle.to_radians().cos() * along - angle.to_radians().sin() * up) / size;
            if size > 0.3 * between {
                assert!(aligned > 0.5, "an arrow at {z:?}: {aligned}");
                arrows += 1;
            }
        } else if mark.attribute("d").len() > 200 {
            let points = numbers(&d.replace(['M', 'Z'], " "));
            let level = |k: usize| psi(&analysis, axes.z([points[2 * k], points[2 * k + 1]])) / between;
            let levels: Vec<f64> = (0..points.len() / 2).map(level).collect();
            let mean = levels.iter().sum::<f64>() / levels.len() as f64;
            // Lines are drawn through a smoother psi than this one, whose tops are flatter.
            lines.push((mean.abs().floor() + 0.5 - mean.abs()).abs());
        }
    }
    let near = lines.iter().filter(|off| **off < 0.25).count();
    assert!(arrows > 4 && lines.len() > 4 && 2 * near >= lines.len(), "{arrows}, {lines:?}");

    // Decoded images, tile by tile.
    let sheet = panels[1].all("image")[0];
    let pixels = picture(sheet.attribute("href")).to_luma8();
    let (rows, columns) = (SIZE.0 as u32, SIZE.1 as u32);
    let tiles = [pixels.width() / columns, pixels.height() / rows];
    let decoded = |z: [f64; 2]| -> Vec<f64> {
        let logit = |i: usize| {
            f64::from(parameters.visible_bias.as_ref().unwrap()[i])
                + (0..2).map(|h| z[h] * f64::from(parameters.backward[[h, i]])).sum::<f64>()
        };
        (0..15).map(|i| 1.0 / (1.0 + (-logit(i)).exp())).collect()
    };
    for (across, down) in [(0, 0), (tiles[0] - 1, 0), (0, tiles[1] - 1), (3, 7), (8, 2)] {
        let middle = |tile: u32, count: u32, start: &str, side: &str| {
            sheet.number(start) + sheet.number(side) * (f64::from(tile) + 0.5) / f64::from(count)
        };
        let z = Axes::of(panels[1]).z([middle(across, tiles[0], "x", "width"), middle(down, tiles[1], "y", "height")]);
        for (i, expected) in decoded(z).into_iter().enumerate() {
            let pixel = pixels.get_pixel(across * columns + i as u32 % columns, down * rows + i as u32 / columns)[0];
            close(f64::from(pixel), 255.0 * expected, 2.0, "a decoded pixel");
        }
    }
}

#[test]
fn data_drift_and_diffusion_are_drawn_where_they_are() {
    let parameters = model(2);
    let data = Reference {
        train: PackedImages::pack(&random_images(3, 23, 15)),
        train_classes: Some((0..23).map(|image| image % 3).collect()),
        test: None,
        judge: None,
    };
    let (analysis, page) = shown(&parameters, 0, Some(&data));
    let plane = analysis.plane.as_ref().unwrap();
    let panels = drawings(&page, "plane-motion");
    let axes = Axes::of(panels[0]);
    let circles: Vec<&Element> = panels[0]
        .all("circle")
        .into_iter()
        .filter(|circle| circle.attribute("r") == "2.4")
        .collect();
    assert_eq!(circles.len(), 23);
    for (circle, placed) in circles.iter().zip(&plane.data) {
        near(
            [circle.number("cx"), circle.number("cy")],
            axes.place([placed.at[0], placed.at[1]]),
            "an image of the data",
        );
    }

    let axes = Axes::of(panels[1]);
    let arrows: Vec<[f64; 3]> = panels[1].all("g").into_iter().filter(|g| g.has("transform")).map(placed).collect();
    let ellipses = panels[1].all("ellipse");
    let matrix = |state: usize| [0, 1, 3].map(|entry: usize| plane.field.diffusion[[state, entry]]);
    let axis = |[xx, xy, yy]: [f64; 3]| {
        // The larger eigenvalue and its direction, by turning the matrix.
        let angle = 0.5 * (2.0 * xy).atan2(xx - yy);
        let (c, s) = (angle.cos(), angle.sin());
        (
            c * c * xx + 2.0 * c * s * xy + s * s * yy,
            s * s * xx - 2.0 * c * s * xy + c * c * yy,
            angle,
        )
    };
    let widest = (0..49).map(|state| axis(matrix(state)).0).fold(0.0, f64::max);
    let longest = plane.field.drift.rows().into_iter().map(|b| b[0].hypot(b[1])).fold(0.0, f64::max);
    let largest_ellipse = ellipses[..49].iter().map(|ellipse| ellipse.number("rx")).fold(0.0, f64::max);
    let mut tilted = 0;
    for state in 0..49 {
        let place = axes.place([plane.axes[0][state / 7], plane.axes[1][state % 7]]);
        let [x, y, angle] = arrows[state];
        near([x, y], place, "an arrow");
        let b = plane.field.drift.row(state);
        let expected = (-b[1]).atan2(b[0]).to_degrees();
        let turn = (angle - expected + 540.0).rem_euclid(360.0) - 180.0;
        assert!(turn.abs() < 1.0, "drift at {state}: {angle} instead of {expected}");
        let ellipse = ellipses[state];
        near([ellipse.number("cx"), ellipse.number("cy")], place, "an ellipse");
        let (long, short, of_axis) = axis(matrix(state));
        close(
            ellipse.number("rx") / largest_ellipse,
            (long / widest).sqrt(),
            0.01,
            "long half axis",
        );
        close(
            ellipse.number("ry") / largest_ellipse,
            (short / widest).sqrt(),
            0.01,
            "short half axis",
        );
        let turned = numbers(&ellipse.attribute("transform").replace("rotate(", ""))[0];
        let turn = (turned + of_axis.to_degrees() + 450.0).rem_euclid(180.0) - 90.0;
        if long > 1.2 * short {
            assert!(turn.abs() < 1.0, "ellipse at {state}: {turned}, {}", of_axis.to_degrees());
            tilted += usize::from((10.0..80.0).contains(&(of_axis.to_degrees().abs() % 90.0)));
        }
    }
    assert!(tilted > 3, "{tilted}");
    // The key: as long as it says.
    let key: Vec<String> = panels[1]
        .all("text")
        .iter()
        .filter(|text| text.is("start"))
        .map(|text| text.text())
        .collect();
    let [drift, spread] = ["drift of ", "spread "].map(|before| number(key.iter().find_map(|text| text.strip_prefix(before)).unwrap()));
    close(
        ellipses[49].number("rx") / largest_ellipse,
        spread / (2.0 * widest).sqrt(),
        0.01,
        "key of the spread",
    );
    let length = |group: &Element| numbers(&group.all("polygon")[0].attribute("points").replace(',', " "))[0];
    let groups: Vec<&Element> = panels[1].all("g").into_iter().filter(|g| g.has("transform")).collect();
    let longest_arrow = groups[..49].iter().map(|group| length(group)).fold(0.0, f64::max);
    close(length(groups[49]) / longest_arrow, drift / longest, 0.01, "key of the drift");
    let caption = page.by_id("plane-motion").all("figcaption")[0].text();
    assert!(
        caption.contains(&format!(
            "√E|b|² = {} per step and E tr D = {} per step",
            plane.drift, plane.diffusion
        )),
        "{caption}"
    );
    let mean = |of: &dyn Fn(usize) -> f64| {
        analysis
            .stationary
            .iter()
            .enumerate()
            .map(|(state, pi)| pi * of(state))
            .sum::<f64>()
    };
    close(
        plane.drift.value.unwrap(),
        mean(&|state| plane.field.drift.row(state).mapv(|b| b * b).sum()).sqrt(),
        1e-12,
        "drift",
    );
    close(
        plane.diffusion.value.unwrap(),
        mean(&|state| matrix(state)[0] + matrix(state)[2]),
        1e-12,
        "diffusion",
    );
}

/// Classes have the colours of the key. In a run, whose classes have labels.
#[test]
fn images_of_a_class_have_its_colour() {
    let folder = tempfile::tempdir().unwrap();
    let small = crate::command::SMALL.join(" ");
    crate::known::succeeds(
        folder.path(),
        &format!("train --quiet --run plane {small} --set training.steps=3 --set model.latent={{kind=\"grid\",points=5,range=2.0}}"),
    );
    crate::known::succeeds(folder.path(), "analyze plane --quiet --samples 64");
    let out = folder.path().join("plane/analysis");
    let page = crate::pages::page(&out);
    let panel = drawings(&page, "plane-motion")[0];
    let mut archive = NpzReader::new(std::fs::File::open(out.join("latent.npz")).unwrap()).unwrap();
    let classes: Array1<i64> = archive.by_name("plane_data_class").unwrap();
    let circles = panel.all("circle");
    let of_radius = |radius: &str| {
        circles
            .iter()
            .filter(|circle| circle.attribute("r") == radius)
            .map(|circle| circle.attribute("fill"))
            .collect::<Vec<_>>()
    };
    let key = of_radius("5");
    let labels: Vec<String> = panel
        .all("text")
        .iter()
        .filter(|text| text.is("start"))
        .map(|text| text.text())
        .collect();
    assert_eq!(labels, ["0", "1", "2"]);
    for (colour, class) in of_radius("2.4").iter().zip(&classes) {
        assert_eq!(*colour, key[*class as usize]);
    }
}

/// latent.npz has the field and its errors, which are those of the groups of draws.
#[test]
fn tables_of_the_plane_are_its_field_and_errors() {
    let parameters = model(2);
    let (analysis, _) = shown(&parameters, 320, None);
    let plane = analysis.plane.as_ref().unwrap();
    let mut archive = NpzReader::new(std::io::Cursor::new(npz(&analysis, SIZE, true).unwrap())).unwrap();
    let mut table = |name: &str| -> Array2<f64> { archive.by_name(name).unwrap() };
    let estimate = &analysis.estimate;
    let field = |steady: &SteadyState| Field::of(steady, &plane.axes);
    let without: Vec<Field> = estimate.without.iter().map(|kernel| field(&kernel.steady)).collect();
    let whole = field(&estimate.kernel.steady);
    let flow = whole.flow.as_ref().unwrap();
    let z = table("plane_points");
    let transition = estimate.kernel.steady.transition();
    assert!(
        (&table("plane_drift") - &(transition.dot(&z) - &z))
            .iter()
            .all(|difference| difference.abs() < 1e-12)
    );
    assert_eq!(table("plane_current_first"), flow.first);
    assert_eq!(table("plane_current_second"), flow.second);
    assert_eq!(table("plane_stream"), flow.stream());
    assert_eq!(table("plane_curl"), flow.curl());
    let error = |of: &dyn Fn(&Field) -> f64| {
        let values: Vec<f64> = without.iter().map(of).collect();
        let groups = values.len() as f64;
        let mean = values.iter().sum::<f64>() / groups;
        ((groups - 1.0) / groups * values.iter().map(|value| (value - mean).powi(2)).sum::<f64>()).sqrt()
    };
    for (name, of) in [
        (
            "plane_stream_error",
            (|field: &Field, at| field.stream()[at]) as fn(&Field, (usize, usize)) -> f64,
        ),
        ("plane_drift_error", |field, at| field.drift[at]),
    ] {
        let errors = table(name);
        assert!(errors.iter().any(|error| *error > 1e-6), "{name}");
        for (at, found) in errors.indexed_iter() {
            close(*found, error(&|field| of(field, at)), 1e-12, name);
        }
    }
    let diffusion: Array3<f64> = archive.by_name("plane_diffusion").unwrap();
    assert!(
        diffusion
            .indexed_iter()
            .all(|((state, g, h), d)| (d - whole.diffusion[[state, 2 * g + h]]).abs() < 1e-15)
    );
}

/// The charts of a line have pi, drift and diffusion with two standard errors, and its images from left to right.
#[test]
fn the_line_is_drawn_where_it_is() {
    let parameters = model(1);
    let (analysis, page) = shown(&parameters, 160, None);
    let plane = analysis.plane.as_ref().unwrap();
    let error_of_pi: Vec<f64> = analysis
        .stationary
        .iter()
        .zip(&analysis.stationary_error)
        .map(|(pi, error)| pi * error)
        .collect();
    let mut long = 0;
    for (id, values, errors) in [
        ("plane-pi", analysis.stationary.to_vec(), error_of_pi),
        (
            "plane-drift",
            plane.field.drift.column(0).to_vec(),
            plane.errors.drift.column(0).to_vec(),
        ),
        (
            "plane-diffusion",
            plane.field.diffusion.column(0).to_vec(),
            plane.errors.diffusion.column(0).to_vec(),
        ),
    ] {
        let chart = page.by_id(id).all("svg")[0];
        let axes = Axes::of(chart);
        let circles = chart.of_class("dot");
        let bars: Vec<&Element> = chart
            .all("path")
            .into_iter()
            .filter(|path| path.attribute("d").contains('V'))
            .collect();
        assert_eq!((circles.len(), bars.len()), (7, 7), "{id}");
        for k in 0..7 {
            let z = plane.axes[0][k];
            near([circles[k].number("cx"), circles[k].number("cy")], axes.place([z, values[k]]), id);
            let ends = numbers(&bars[k].attribute("d").replace(['M', 'V'], " "));
            let [low, high] = [-2.0, 2.0].map(|times| axes.place([z, values[k] + times * errors[k]])[1]);
            close(ends[1], low, 0.15, id);
            close(ends[2], high, 0.15, id);
            long += usize::from(low - high > 3.0);
        }
    }
    assert!(long > 2, "{long}");
    let strip = picture(page.by_id("plane-images").all("img")[0].attribute("src")).to_luma8();
    let columns = SIZE.1 as u32;
    for (tile, z) in [(0, -2.5), (strip.width() / columns - 1, 2.5)] {
        for i in 0..15_u32 {
            let logit =
                f64::from(parameters.visible_bias.as_ref().unwrap()[i as usize]) + z * f64::from(parameters.backward[[0, i as usize]]);
            let pixel = strip.get_pixel(tile * columns + i % columns, i / columns)[0];
            close(f64::from(pixel), 255.0 / (1.0 + (-logit).exp()), 1.0, "a decoded pixel");
        }
    }
}
