//! The drawings of a page as SVG files of their own, in the colours of white paper.

/// Colours of the page in the light, as page.css has them.
const PALETTE: [(&str, &str); 7] = [
    ("--paper", "#fcfcfa"),
    ("--card", "#ffffff"),
    ("--ink", "#1d2025"),
    ("--faint", "#6b7280"),
    ("--line", "#dcdfe4"),
    ("--first", "#1769aa"),
    ("--second", "#c2570c"),
];

/// The palette as JSON, for the page's script.
pub fn palette() -> String {
    let colours: Vec<String> = PALETTE.iter().map(|(name, colour)| format!("\"{name}\":\"{colour}\"")).collect();
    format!("{{{}}}", colours.join(","))
}

/// Every drawing of a page: the id of its figure, with a number where a figure has several, and the file.
pub fn of_page(html: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for figure in html.split("<figure id=\"").skip(1) {
        let figure = figure.split("</figure>").next().unwrap_or_default();
        let Some((id, content)) = figure.split_once('"') else { continue };
        for (number, drawing) in content.split("<svg ").skip(1).enumerate() {
            let drawing = drawing.split("</svg>").next().unwrap_or_default();
            let name = if number == 0 {
                id.to_owned()
            } else {
                format!("{id}-{}", number + 1)
            };
            files.extend(alone(drawing).map(|file| (name, file)));
        }
    }
    files
}

/// A drawing, given from its attributes on, with its own size, style and background.
fn alone(drawing: &str) -> Option<String> {
    let (attributes, content) = drawing.split_once('>')?;
    let [_, _, width, height] = attributes
        .split("viewBox=\"")
        .nth(1)?
        .split('"')
        .next()?
        .split(' ')
        .collect::<Vec<_>>()
        .try_into()
        .ok()?;
    let style = include_str!("figures.css");
    let file = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" {attributes}><style>\n{style}</style><rect width=\"100%\" height=\"100%\" \
         fill=\"var(--card)\"/>{content}</svg>\n"
    );
    Some(
        PALETTE
            .iter()
            .fold(file, |file, (name, colour)| file.replace(&format!("var({name})"), colour)),
    )
}
