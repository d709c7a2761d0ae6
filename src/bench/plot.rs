//! Step times against each size, as a picture.

use plotters::prelude::*;

use super::{Row, Sizes};
use crate::codes::{Layer, Layers};

/// The sizes of a scan: each of N, B, D and L over two decades, beside its value, the others as in `center`. Of listed words of binary units L goes in steps of
/// one unit, up to three fewer and three more; where they are not listed H is varied in place of L.
pub fn scan(center: &Sizes) -> Vec<(&'static str, Vec<(usize, Sizes)>)> {
    let around = |middle: usize| [10, 32, 100, 316, 1000].map(|percent| (middle * percent).div_ceil(100));
    let vary = |middle: usize, set: fn(&mut Sizes, usize)| {
        around(middle)
            .map(|value| {
                let mut sizes = center.clone();
                set(&mut sizes, value);
                (value, sizes)
            })
            .to_vec()
    };
    vec![
        ("N, persistent chains", vary(center.chains, |sizes, value| sizes.chains = value)),
        ("B, images in a minibatch", vary(center.batch, |sizes, value| sizes.batch = value)),
        ("D, pixels", vary(center.visible, |sizes, value| sizes.visible = value)),
        match center.layers.binary_units() {
            None => (
                "L, latent states",
                vary(center.layers.states(), |sizes, value| sizes.layers = Layers::one_hot(value)),
            ),
            Some(units) if center.layers.are_listed() => {
                let around = (units.saturating_sub(3).max(1)..=units + 3).map(|units| (units, binary(units)));
                let listed = around.filter(|(_, layers)| layers.are_listed());
                let sizes = listed.map(|(units, layers)| (1 << units, Sizes { layers, ..center.clone() }));
                ("L, words of binary units", sizes.collect())
            }
            Some(units) => ("H, binary units", vary(units, |sizes, value| sizes.layers = binary(value))),
        },
    ]
}

fn binary(units: usize) -> Layers {
    Layers::new(vec![Layer::Binary { units }]).expect("there is a layer")
}

/// Draws one panel for each size, step time over size on logarithmic axes, as the text of an SVG file.
///
/// # Errors
/// When the picture cannot be drawn, in words.
pub fn svg(panels: &[(&str, Vec<(usize, Row)>)]) -> Result<String, String> {
    let mut text = String::new();
    draw(panels, &mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

fn draw(panels: &[(&str, Vec<(usize, Row)>)], text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    const COLOURS: [RGBColor; 2] = [RGBColor(0, 92, 171), RGBColor(200, 76, 24)];
    let root = SVGBackend::with_string(text, (900, 640)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, (name, points)) in root.split_evenly((2, 2)).iter().zip(panels) {
        let curves = [("one step", COLOURS[0]), ("dense floor", COLOURS[1])].map(|(label, colour)| {
            let values = points.iter().filter_map(|(size, row)| {
                let value = if label == "one step" { row.step_ms } else { row.floor_ms };
                Some((*size as f64, value?))
            });
            (label, colour, values.collect::<Vec<(f64, f64)>>())
        });
        let all = || curves.iter().flat_map(|(_, _, curve)| curve);
        let range = |value: fn(&(f64, f64)) -> f64| {
            let (low, high) = all()
                .map(value)
                .fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
            (low / 1.3..high * 1.3).log_scale()
        };
        if all().next().is_none() {
            continue;
        }
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(38)
            .y_label_area_size(56)
            .build_cartesian_2d(range(|point| point.0), range(|point| point.1))?;
        let plain = |value: &f64| value.to_string();
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc(*name)
            .y_desc("milliseconds")
            .x_labels(4)
            .y_labels(4)
            .x_label_formatter(&plain)
            .y_label_formatter(&plain)
            .draw()?;
        for (label, colour, curve) in curves {
            chart
                .draw_series(LineSeries::new(curve.clone(), colour.stroke_width(2)))?
                .label(label)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            chart.draw_series(curve.into_iter().map(|point| Circle::new(point, 3, colour.filled())))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE)
            .draw()?;
    }
    root.present()?;
    Ok(())
}
