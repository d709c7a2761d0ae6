//! Tables of a sweep's page: settings, correlations, differences from the baseline, all runs.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::page::escape;
use crate::analysis::measures::{Measure, swept};
use crate::estimate::jackknife::Figure;
use crate::sweep::effects::{Difference, Setting, WithEntropyProduction};
use crate::sweep::statistics::{Correlation, SampleStatistics};
use crate::sweep::summary::{RunRecord, RunStatus};

/// Each setting: mean with interval, and below it spread, median and range.
pub fn settings<'a>(settings: impl Iterator<Item = &'a Setting>, measures: &[&Measure]) -> String {
    let rows = settings.map(|setting| {
        let most = setting.figures.values().map(|sample| sample.n).max().unwrap_or(0);
        let cells = by_measure(measures, &setting.figures, |sample: &SampleStatistics| {
            let deviation = sample
                .deviation
                .map_or(String::new(), |deviation| format!("s {}, ", short(deviation)));
            let range = format!("median {}, {} to {}", short(sample.median), short(sample.min), short(sample.max));
            format!("{}<small>{deviation}{range}</small>", mean(sample))
        });
        format!(
            "<tr><th>{}</th><td>{most} of {}</td>{cells}</tr>",
            escape(&setting.name),
            setting.runs
        )
    });
    table(&format!("<th>setting</th><th>runs</th>{}", headings(measures)), rows)
}

/// Correlations with entropy production.
pub fn correlations(all: &[WithEntropyProduction]) -> String {
    let rows = all.iter().map(|found| {
        let title = swept()
            .find(|measure| measure.key == found.figure)
            .map_or(found.figure, |measure| measure.title);
        let kinds = [&found.correlations.within, &found.correlations.across, &found.correlations.overall];
        let cells: String = kinds.map(correlation).concat();
        format!(
            "<tr><th>{title}</th><td>{}</td><td>{}</td><td>{}</td>{cells}</tr>",
            found.runs, found.settings, found.seeds
        )
    });
    let headings = "<th></th><th>runs</th><th>settings</th><th>seeds</th><th>within settings</th><th>across settings</th><th>overall</th>";
    table(headings, rows)
}

fn correlation(found: &Correlation) -> String {
    let value = found.value.map_or("-".to_owned(), |value| format!("{value:+.2}"));
    let interval = found
        .interval
        .map_or(String::new(), |(low, high)| format!("<small>{low:+.2} to {high:+.2}</small>"));
    let note = found.note.map_or(String::new(), |note| format!("<small>{note}</small>"));
    format!("<td>{value}{interval}{note}</td>")
}

/// Variants against the baseline.
pub fn differences(all: &[Difference], measures: &[&Measure]) -> String {
    let rows = all.iter().map(|difference| {
        let cells = by_measure(measures, &difference.figures, |paired| {
            let n = paired.difference.n;
            let above = (paired.above * n as f64).round();
            format!("{}<small>more in {above:.0} of {n}</small>", mean(&paired.difference))
        });
        format!(
            "<tr><th>{}</th><td>{}</td><td>{}</td>{cells}</tr>",
            escape(&difference.variant),
            escape(&difference.setting),
            escape(&difference.baseline)
        )
    });
    table(
        &format!("<th>variant</th><th>its setting</th><th>the baseline's</th>{}", headings(measures)),
        rows,
    )
}

/// Every run.
pub fn runs<'a>(
    records: impl Iterator<Item = &'a RunRecord<'a>>,
    measures: &[&Measure],
    link: impl Fn(&RunRecord) -> Option<String>,
) -> String {
    let rows = records.map(|record| {
        let name = escape(&record.run.name);
        let name = link(record).map_or(name.clone(), |link| format!(r#"<a href="{}">{name}</a>"#, escape(&link)));
        let cells: String = (measures.iter())
            .map(|measure| {
                format!(
                    "<td>{}</td>",
                    record
                        .figures
                        .as_ref()
                        .map_or("-".to_owned(), |figures| (measure.of)(figures).to_string())
                )
            })
            .collect();
        let seconds = record.seconds.map_or("-".to_owned(), |seconds| format!("{seconds:.1}"));
        let status = match record.status {
            RunStatus::Finished => String::new(),
            status => format!("<small>{status}</small>"),
        };
        format!("<tr><th>{name}{status}</th><td>{seconds}</td>{cells}</tr>")
    });
    table(&format!("<th>run</th><th>seconds of training</th>{}", headings(measures)), rows)
}

fn table(headings: &str, rows: impl Iterator<Item = String>) -> String {
    let mut html = format!(r#"<div class="scroll"><table class="figures-table"><thead><tr>{headings}</tr></thead><tbody>"#);
    rows.for_each(|row| html.push_str(&row));
    html.push_str("</tbody></table></div>");
    html
}

fn headings(measures: &[&Measure]) -> String {
    measures.iter().fold(String::new(), |mut html, measure| {
        let _ = write!(html, "<th>{}<small>{}</small></th>", measure.title, measure.unit);
        html
    })
}

fn by_measure<T>(measures: &[&Measure], figures: &BTreeMap<&'static str, T>, cell: impl Fn(&T) -> String) -> String {
    let cells = measures
        .iter()
        .map(|measure| figures.get(measure.key).map_or("-".to_owned(), &cell));
    cells.map(|cell| format!("<td>{cell}</td>")).collect()
}

fn mean(sample: &SampleStatistics) -> String {
    let figure = Figure {
        low: sample.interval.map(|(low, _)| low),
        high: sample.interval.map(|(_, high)| high),
        ..Figure::exact(sample.mean)
    };
    figure.to_string()
}

/// About four digits.
pub fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    if !(-3..=7).contains(&digits) {
        format!("{value:.1e}")
    } else {
        format!("{value:.0$}", digits.max(0) as usize)
    }
}
