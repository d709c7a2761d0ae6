//! The units of latent layers on the page: what each looks for and draws, what it does, which fires with which and after which; and the steps of deeper chains.

use std::fmt::Write;

use super::page::{escape, figure, section, wide};
use super::png;
use super::signed::{map, picture};
use super::steps;
use crate::analysis::Analysis;
use crate::analysis::units::{Component, LayerUnits, Pair, Unit, weights};
use crate::estimate::jackknife::Figure;
use crate::model::Parameters;

/// Components whose weights are shown.
const MOST_CARDS: usize = 24;
/// Components in the table.
const MOST_ROWS: usize = 64;

/// The sections of a model that has units, and of a deeper chain.
pub fn sections(analysis: &Analysis, parameters: &Parameters, size: (usize, usize)) -> String {
    let mut html = String::new();
    let layers = parameters.layers.all().len();
    for units in analysis.layer_units.iter().flatten() {
        let title = match layers {
            1 => "Units".to_owned(),
            _ => format!("Units of layer {} of {layers}", units.layer),
        };
        html.push_str(&section(&title, &of_layer(units, parameters, size)));
    }
    if let Some(of_loop) = &analysis.layers {
        html.push_str(&steps::section(of_loop, &analysis.headline.path_entropy_production));
    }
    html
}

fn of_layer(units: &LayerUnits, parameters: &Parameters, size: (usize, usize)) -> Vec<String> {
    let id = |name: &str| format!("units-{name}-{}", units.layer);
    let mut figures = Vec::new();
    figures.extend(of_weights(units, parameters, size).map(|(cards, caption)| wide(&id("weights"), &cards, &caption)));
    let left_out = match units.components.len() {
        count if count > MOST_ROWS => format!(" Of {count} components {MOST_ROWS} are listed; all are in analysis.json."),
        _ => String::new(),
    };
    figures.push(wide(
        &id("table"),
        &table(units),
        &format!(
            "Each figure with the half width of its 95% interval, or exact. Activity: the mean of the code, for what is on or off the probability to be on. Changes: the \
             probability that it changes in a step; on an axis, the mean square of the step. Correlation time: ½ + Σ C(t)/C(0) over t ≥ 1; ½ is a fresh draw \
             at every step, less is one that tends to turn over.{}{left_out}",
            match (&units.path_entropy_production, parameters.layers.all().len()) {
                (None, _) => String::new(),
                (Some(sum), 1) => format!(
                    " σ: what the unit carries of the path entropy production, Σ E[(c<sub>z′</sub> − c<sub>z</sub>)<sub>h</sub> (V<sup>T</sup>x)<sub>h</sub>] with V = W − A<sup>T</sup>; \
                     together {sum} nats per step. Look for the units that carry most, and for negative ones, which the others drive backwards. Angle: between W and A; zero in equilibrium."
                ),
                (Some(sum), _) => format!(" σ: what the unit carries of the step between the layer and the images; together {sum} nats per step of the loop."),
            }
        ),
    ));
    let symmetric = (&units.lag_one + &units.lag_one.t()) * 0.5;
    let of_unit: Vec<(&str, usize)> = units.units.iter().map(|unit| (unit.name.as_str(), unit.components.len())).collect();
    let names = &units.components;
    let (told, all) = units.resolved;
    figures.extend([
        figure(
            &id("covariance"),
            &format!(
                "<h3>Together</h3>{}{}",
                map(&units.covariance, names, &of_unit, ["component", "component, at the same time"], "covariance"),
                pairs(&units.together, names, " and ", "")
            ),
            "Covariance at one time, E s<sub>g</sub>s<sub>h</sub> − E s<sub>g</sub> E s<sub>h</sub>: red where two are on together more often than by chance, blue where less often; \
             on the diagonal the variance. Colour grows as the square root. Beneath, the largest between units.",
        ),
        figure(
            &id("lag-one"),
            &format!(
                "<h3>A step apart, either way</h3>{}",
                map(&symmetric, names, &of_unit, ["component", "component, a step before or after"], "covariance")
            ),
            "The symmetric part of C<sub>gh</sub> = E s<sub>g</sub>(t) s<sub>h</sub>(t+1) − E s<sub>g</sub> E s<sub>h</sub>: what is remembered of the last step, whichever of the two \
             came first. A pale map is a chain that draws afresh at every step.",
        ),
        figure(
            &id("current"),
            &format!(
                "<h3>One after the other</h3>{}{}",
                map(&units.current, names, &of_unit, ["component at t", "component at t + 1"], "net events per step"),
                pairs(&units.after, names, " then ", " per step")
            ),
            &format!(
                "The current between components, J<sub>gh</sub> = C<sub>gh</sub> − C<sub>hg</sub>: red where the row's is on a step before the column's more often than a step after it. \
                 In equilibrium the map is blank. Beneath, the largest of {told} of {all} pairs whose current is more than four standard errors from zero{}.",
                if told < all { "; the draws do not resolve the others" } else { "" }
            ),
        ),
    ]);
    figures
}

/// Cards of the components, each with its column of W and its row of A as far as its layer has them.
fn of_weights(units: &LayerUnits, parameters: &Parameters, size: (usize, usize)) -> Option<(String, String)> {
    let layers = parameters.layers.all().len();
    let [forward, backward] = weights(parameters);
    let [forward, backward] = [(units.layer == 1).then_some(forward), (units.layer == layers).then_some(backward)];
    let kinds: Vec<_> = [("W", forward), ("A", backward)]
        .into_iter()
        .filter_map(|(name, rows)| Some((name, rows?)))
        .collect();
    let looks = match kinds.iter().map(|(name, _)| *name).collect::<Vec<_>>()[..] {
        ["W", "A"] => {
            "Left, the column of W: the pixels that make it fire (red) or keep it off (blue). Right, its row of A: the pixels that it lights (red) or darkens (blue). \
             In equilibrium both are the same image; the angle between them is beneath."
        }
        ["W"] => "The column of W: the pixels that make it fire (red) or keep it off (blue).",
        ["A"] => "The row of A: the pixels that it lights (red) or darkens (blue).",
        _ => return None,
    };
    let components: Vec<(usize, &Component)> = units.units.iter().flat_map(|unit| &unit.components).enumerate().collect();
    let mut shown = components.clone();
    // The most active where there are more than are shown.
    let activity = |component: &Component| component.activity.value.unwrap_or(0.0);
    if shown.len() > MOST_CARDS {
        shown.sort_by(|a, b| activity(b.1).total_cmp(&activity(a.1)));
        shown.truncate(MOST_CARDS);
        shown.sort_by_key(|(h, _)| *h);
    }
    let mut html = String::from(r#"<div class="cards pairs">"#);
    for (h, component) in &shown {
        html.push_str(r#"<div class="card"><div>"#);
        for (name, rows) in &kinds {
            let picture = png::data_uri(picture(rows.row(*h), size));
            let _ = write!(
                html,
                r#"<img class="pixels" src="{picture}" alt="{name} of component {}">"#,
                component.name
            );
        }
        let _ = write!(html, "</div><b>{}</b>", component.name);
        if let Some(angle) = component.angle {
            let _ = write!(html, "<span>{angle:.0}° apart</span>");
        }
        html.push_str("</div>");
    }
    html.push_str("</div>");
    let of_groups = units.units.iter().any(|unit| unit.components.len() > 1);
    let caption = format!(
        "{looks} Each image has a scale of its own, white at zero.{}{}",
        if of_groups {
            " Of a group's values, less the mean over the group, which alone matters."
        } else {
            ""
        },
        if shown.len() < components.len() {
            format!(" The {} most active of {} are shown.", shown.len(), components.len())
        } else {
            String::new()
        }
    );
    Some((html, caption))
}

fn table(units: &LayerUnits) -> String {
    let produces = units.path_entropy_production.is_some();
    let has_angles = units
        .units
        .iter()
        .flat_map(|unit| &unit.components)
        .any(|component| component.angle.is_some());
    let mut html = String::from(
        r#"<div class="scroll"><table class="plain"><thead><tr><th></th><th>activity</th><th>changes, per step</th><th>correlation time, steps</th>"#,
    );
    if has_angles {
        html.push_str("<th>angle of W and A, degrees</th>");
    }
    if produces {
        html.push_str("<th>σ, nats per step</th>");
    }
    html.push_str("</tr></thead><tbody>");
    let mut rows = 0;
    for unit in &units.units {
        let Unit { name, components, .. } = unit;
        let changes = unit.flip_rate.as_ref().or(unit.mean_square_step.as_ref()).map(cell);
        let produced = unit.path_entropy_production.as_ref().map(cell);
        let mut row = |name: &str, component: Option<&Component>, of_unit: bool| {
            if rows == MOST_ROWS {
                return;
            }
            rows += usize::from(component.is_some());
            let own = |text: Option<&String>| text.filter(|_| of_unit).cloned().unwrap_or_default();
            let activity = component.map_or_else(String::new, |component| cell(&component.activity));
            let time = component.map_or_else(String::new, |component| cell(&component.correlation_time));
            let _ = write!(
                html,
                "<tr><th>{name}</th><td>{activity}</td><td>{}</td><td>{time}</td>",
                own(changes.as_ref())
            );
            if has_angles {
                let angle = component.and_then(|component| component.angle);
                let _ = write!(html, "<td>{}</td>", angle.map_or_else(String::new, |angle| format!("{angle:.1}")));
            }
            if produces {
                let _ = write!(html, "<td>{}</td>", own(produced.as_ref()));
            }
            html.push_str("</tr>");
        };
        match &components[..] {
            [component] => row(name, Some(component), true),
            components => {
                row(name, None, true);
                components.iter().for_each(|component| row(&component.name, Some(component), false));
            }
        }
    }
    html.push_str("</tbody></table></div>");
    html
}

/// A figure, or why there is none.
fn cell(figure: &Figure) -> String {
    match (&figure.value, &figure.note) {
        (None, Some(note)) => escape(note),
        _ => figure.to_string(),
    }
}

fn pairs(pairs: &[Pair], names: &[String], between: &str, unit: &str) -> String {
    let texts: Vec<String> = pairs
        .iter()
        .take(6)
        .map(|Pair { first, second, value }| format!("{}{between}{}: {value}{unit}", names[*first], names[*second]))
        .collect();
    match texts.is_empty() {
        true => r#"<p class="under">None can be told from zero.</p>"#.to_owned(),
        false => format!(r#"<p class="under">{}</p>"#, texts.join("<br/>")),
    }
}
