//! Where a page comes from: data, seed, settings, version, commit, date, the paper.

use std::fmt::Write;

use super::page::{escape, section};
use crate::training::manifest::Manifest;

/// What is known of a run beside its model.
#[derive(Clone, Copy, Default)]
pub struct Provenance<'a> {
    /// Its manifest.
    pub manifest: Option<&'a Manifest>,
    /// Its config.toml.
    pub config: Option<&'a str>,
    /// The seed of the analysis; none for a sweep, whose runs have a seed each.
    pub seed: Option<u64>,
}

/// The paper, as a link.
pub const PAPER: &str = "The model is that of M. Baiesi and A. Rosso, “Emergence of Nonequilibrium Latent Cycles in Unsupervised Generative Modeling”, \
                         <a href=\"https://arxiv.org/abs/2512.11415\">arXiv:2512.11415</a>.";

impl Provenance<'_> {
    /// The section of a page.
    pub fn section(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let mut rows: Vec<(&str, String)> = Vec::new();
        let of_analysis = self.seed.map(|seed| format!("{seed} (analysis)"));
        if let Some(manifest) = self.manifest {
            let data = &manifest.data;
            let classes: Vec<String> = data.classes.iter().map(u8::to_string).collect();
            let classes = match classes.is_empty() {
                true => String::new(),
                false => format!(", classes {}", classes.join(", ")),
            };
            rows.extend([
                (
                    "data",
                    format!(
                        "{}: {} training and {} test images of {} × {} pixels{classes}",
                        escape(&data.name),
                        data.train_images,
                        data.test_images,
                        data.rows,
                        data.columns
                    ),
                ),
                ("data, SHA-256", format!("<code>{}</code>", escape(&data.checksum))),
                (
                    "seed",
                    of_analysis.map_or("each run has its own".to_owned(), |seed| {
                        format!("{} (training), {seed}", manifest.seed)
                    }),
                ),
                (
                    "trained by",
                    format!(
                        "{} {}, commit {}, on {}",
                        escape(&manifest.program),
                        escape(&manifest.version),
                        manifest
                            .commit
                            .as_deref()
                            .map_or("unknown".to_owned(), |commit| format!("<code>{}</code>", escape(commit))),
                        escape(&manifest.device)
                    ),
                ),
                (
                    "date of training",
                    match (self.seed, manifest.end.as_deref()) {
                        (Some(_), Some(end)) => format!("{} to {}", escape(&manifest.start), escape(end)),
                        _ => format!("begun {}", escape(&manifest.start)),
                    },
                ),
            ]);
        } else if self.seed.is_some() {
            rows.extend([
                ("data", "none: a record without its run".to_owned()),
                ("seed", of_analysis.unwrap_or_default()),
            ]);
        }
        rows.push(("analyzed by", format!("latent-cycles {version}")));
        let mut html = String::from(r#"<table class="provenance"><tbody>"#);
        for (name, text) in rows {
            let _ = write!(html, "<tr><th>{name}</th><td>{text}</td></tr>");
        }
        html.push_str("</tbody></table>");
        if let Some(config) = self.config {
            let _ = write!(
                html,
                "<details><summary>All settings (config.toml)</summary><pre>{}</pre></details>",
                escape(config.trim_end())
            );
        }
        section(
            "Provenance",
            &[format!(r#"<div class="wide" id="provenance">{html}<p>{PAPER}</p></div>"#)],
        )
    }
}
