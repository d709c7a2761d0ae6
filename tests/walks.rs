//! What moves on the page, its drawings as files, and where it comes from: of a machine whose answers are known.

use std::collections::BTreeMap;

use base64::Engine;
use image::AnimationDecoder;
use image::codecs::gif::GifDecoder;
use ndarray::Array3;
use ndarray_npy::NpzReader;
use serde_json::Value;

use crate::html::{Element, body, numbers};
use crate::known::{self, COLUMNS, PIXELS, ROWS, STATES, succeeds};
use crate::pages::{analyzed, page};

/// The numbers of a list.
fn list(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|k| k.as_u64().unwrap() as usize).collect()
}

/// The recorded path: every image is one of its state, and steps are as frequent as the machine makes them.
#[test]
fn the_walk_is_a_path_of_the_chain() {
    let folder = analyzed();
    let page = page(&folder.path().join("known"));
    let data: Value = serde_json::from_str(&page.by_id("walk-data").text()).unwrap();
    assert_eq!((&data["rows"], &data["columns"]), (&ROWS.into(), &COLUMNS.into()));
    let states = list(&data["states"]);
    assert_eq!((states.len(), list(&data["nodes"])), (300, states.clone()));
    let coded = data["images"].as_str().unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(coded).unwrap();
    let (mut onward, mut expected) = (0.0, 0.0);
    for (step, packed) in bytes.chunks(PIXELS.div_ceil(8)).enumerate() {
        let pixels: Vec<u8> = (0..PIXELS).map(|pixel| packed[pixel / 8] >> (pixel % 8) & 1).collect();
        let (state, lit) = known::read(&pixels);
        assert_eq!(state, states[step], "the image of step {step}");
        let name = data["names"][step].as_str().unwrap();
        assert_eq!(crate::html::state(name.strip_prefix("state ").unwrap()), state);
        if let Some(&next) = states.get(step + 1) {
            let p = known::given_signal(state, lit);
            assert!(p[next] > 1e-5);
            onward += f64::from(u8::from(next == known::next(state)));
            expected += p[known::next(state)];
        }
    }
    // Four standard errors of 299 steps.
    assert!(
        (onward - expected).abs() < 4.0 * (299.0 * 0.25_f64).sqrt(),
        "{onward} of {expected} steps along the ring"
    );
    // It shows in the graph, waits for its script, and every state has its node.
    let graph = page.by_id("graph");
    assert!(graph.by_id("walk").attribute("id") == "walk");
    let nodes = graph
        .all("g")
        .into_iter()
        .filter(|group| group.children().iter().any(|child| child.is("node")));
    let mut nodes: Vec<usize> = nodes.map(|group| group.number("data-node") as usize).collect();
    nodes.sort_unstable();
    assert!(nodes.into_iter().eq(0..STATES));
}

/// The drawings are files of their own, without the page's variables, and in its colours.
#[test]
fn drawings_are_files_of_their_own() {
    let folder = analyzed();
    let out = folder.path().join("known");
    let text = std::fs::read_to_string(out.join("report.html")).unwrap();
    let drawn = body(&text)
        .all("figure")
        .iter()
        .map(|figure| figure.all("svg").len())
        .sum::<usize>();
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(out.join("figures")).unwrap() {
        let entry = entry.unwrap();
        let content = std::fs::read_to_string(entry.path()).unwrap();
        assert!(content.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"") && content.ends_with("</svg>\n"));
        assert!(!content.contains("var(--") && content.contains("<style>"), "{entry:?}");
        files.insert(entry.file_name().into_string().unwrap(), content);
    }
    assert_eq!(files.len(), drawn);
    for name in ["graph", "map-transitions", "map-currents", "spectrum", "training-0", "law-step"] {
        assert!(files.contains_key(&format!("{name}.svg")), "{name}");
    }
    // The colours are those of the page in the light.
    let palette: Value = serde_json::from_str(text.split("id=\"palette\">").nth(1).unwrap().split("</script>").next().unwrap()).unwrap();
    let light = text.split(":root {").nth(1).unwrap().split('}').next().unwrap();
    for (name, colour) in palette.as_object().unwrap() {
        assert!(light.contains(&format!("{name}: {};", colour.as_str().unwrap())), "{name}");
    }
    assert!(files["graph.svg"].contains("stroke: #1d2025"));
}

/// The slider has every checkpoint, nodes stand still, and what is shown without a script is the last.
#[test]
fn checkpoints_are_shown_as_they_emerge() {
    let folder = tempfile::tempdir().unwrap();
    known::train(folder.path());
    succeeds(folder.path(), "analyze run --quiet --all-checkpoints --samples 64");
    let page = page(&folder.path().join("run/analysis"));
    let data = page.by_id("checkpoints-data").text();
    let stills: Vec<[String; 2]> = serde_json::from_str(&data).unwrap();
    let steps: Vec<f64> = stills.iter().map(|[name, _]| numbers(name)[0]).collect();
    let text = std::fs::read_to_string(folder.path().join("run/analysis/checkpoints.jsonl")).unwrap();
    let checkpoints: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        steps
            .iter()
            .copied()
            .eq(checkpoints.iter().map(|line| line["step"].as_f64().unwrap())),
        "{steps:?}"
    );
    assert_eq!(page.by_id("checkpoint").number("max") as usize, stills.len() - 1);
    let read = |html: &str| body(&format!("<body>{html}</body>"));
    let places = |still: &Element| -> Vec<(String, String)> {
        let nodes = still.of_class("node").into_iter();
        nodes
            .map(|node| (node.attribute("cx").to_owned(), node.attribute("cy").to_owned()))
            .collect()
    };
    let first = read(&stills[0][1]);
    assert_eq!((places(&first).len(), first.all("svg").len()), (STATES, 3));
    let last = read(&stills[stills.len() - 1][1]);
    assert_eq!(places(&first), places(&last));
    let shown = page.by_id("checkpoint-shown");
    assert_eq!(shown.text(), last.text());
    assert_eq!(page.by_id("checkpoint-name").text(), stills[stills.len() - 1][0]);
}

/// A page names data, seed, settings, version, commit, date and the paper.
#[test]
fn a_page_says_where_it_comes_from() {
    let folder = analyzed();
    let page = page(&folder.path().join("known"));
    let text = page.by_id("provenance").text();
    let manifest: Value = serde_json::from_slice(&std::fs::read(folder.path().join("run/manifest.json")).unwrap()).unwrap();
    for key in ["version", "start", "end", "device"] {
        assert!(text.contains(manifest[key].as_str().unwrap()), "{key}: {text}");
    }
    if let Some(commit) = manifest["commit"].as_str() {
        assert!(text.contains(commit), "{text}");
    }
    for key in ["name", "checksum"] {
        assert!(text.contains(manifest["data"][key].as_str().unwrap()), "{key}: {text}");
    }
    assert!(
        text.contains("3 (training), 3 (analysis)") && text.contains("arXiv:2512.11415"),
        "{text}"
    );
    assert!(text.contains("probability_floor") && text.contains("classes 4, 8, 9"), "{text}");
}

/// A film as an animation: frame by frame the images that the same film has as arrays.
#[test]
fn an_animated_film_has_a_frame_for_each_step() {
    let folder = tempfile::tempdir().unwrap();
    known::train(folder.path());
    for name in ["film.gif", "film.npz"] {
        let said = succeeds(folder.path(), &format!("sample run --film --count 11 --start 2,5 --out {name}"));
        assert!(said.contains("11 frames"), "{said}");
    }
    let file = std::fs::File::open(folder.path().join("film.npz")).unwrap();
    let images: Array3<u8> = NpzReader::new(file).unwrap().by_name("images").unwrap();
    let bytes = std::fs::read(folder.path().join("film.gif")).unwrap();
    let frames = GifDecoder::new(std::io::Cursor::new(&bytes))
        .unwrap()
        .into_frames()
        .collect_frames()
        .unwrap();
    assert_eq!(frames.len(), 11);
    let scale = 168 / COLUMNS.max(ROWS);
    for (time, frame) in frames.iter().enumerate() {
        let picture = frame.buffer();
        for chain in 0..2 {
            for ((row, column), lit) in images.index_axis(ndarray::Axis(0), 11 * chain + time).indexed_iter() {
                let x = 2 + chain * (COLUMNS * scale + 2) + column * scale + scale / 2;
                let y = 2 + row * scale + scale / 2;
                assert_eq!(picture.get_pixel(x as u32, y as u32).0[0], 255 * lit, "frame {time}, chain {chain}");
            }
        }
    }
    let (status, _, stderr) = crate::command::run(
        crate::common::program()
            .args(["sample", "run", "--count", "3", "--out", "x.gif"])
            .current_dir(folder.path()),
    );
    assert!(status == 2 && stderr.contains("needs --film"), "{stderr}");
}
