//! Latent layers in configurations: their forms, what follows what, and what is refused.

use latent_cycles::codes::{Layer, Layers};
use latent_cycles::config::Config;

use crate::common::{configured, try_configured};

/// A layer of every kind, and deeper chains, as configurations and records write them.
pub const WRITTEN: [&str; 7] = [
    "10",
    "{ kind = \"binary\", units = 6 }",
    "{ kind = \"groups\", sizes = [3, 5] }",
    "{ kind = \"grid\", dimensions = 2, points = 7, range = 4.5 }",
    "{ kind = \"grid\", dimensions = 1, points = 11, range = 1e-7 }",
    "[{ kind = \"binary\", units = 3 }, { kind = \"binary\", units = 2 }]",
    "[5, { kind = \"groups\", sizes = [2, 3] }, { kind = \"grid\", dimensions = 1, points = 7, range = 2.0 }, 3]",
];

fn latent(settings: &[&str]) -> Layers {
    configured(settings).model.latent
}

fn refusal(settings: &[&str]) -> String {
    try_configured(settings).expect_err(&settings.join(" ")).to_string()
}

#[test]
fn every_form_is_read_and_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    for text in WRITTEN {
        let config = configured(&[&format!("model.latent={text}")]);
        assert_eq!(config.model.latent.to_string(), text);
        assert_eq!(Layers::parse(text).as_ref(), Ok(&config.model.latent));
        assert_eq!(Layers::from_record(text).as_ref(), Ok(&config.model.latent));
        let written = config.to_toml();
        assert_eq!(Config::from_toml(&written, "written").unwrap(), config, "{written}");
        std::fs::write(&path, &written).unwrap();
        assert_eq!(Config::load(Some(&path), &[]).unwrap(), config, "{written}");
        std::fs::write(&path, format!("[model]\nlatent = {text}\n")).unwrap();
        assert_eq!(Config::load(Some(&path), &[]).unwrap(), config);
    }
    // One layer in a list is that layer; a grid has two dimensions unless it says otherwise.
    assert_eq!(latent(&["model.latent=[10]"]), Layers::one_hot(10));
    assert_eq!(
        latent(&["model.latent={ kind = \"grid\", points = 7, range = 3 }"]).to_string(),
        "{ kind = \"grid\", dimensions = 2, points = 7, range = 3.0 }"
    );
}

/// A record's text is that of `to_string` and no other.
#[test]
fn a_record_has_one_text_for_some_layers() {
    for text in [
        "010",
        "[10]",
        " 10",
        "10 ",
        "10 # states",
        "1_0",
        "{ kind = \"binary\", units = 6 }\n",
        "{kind = \"binary\", units = 6}",
        "{ units = 6, kind = \"binary\" }",
        "{ kind = \"grid\", dimensions = 2, points = 7, range = 4.50 }",
        "{ kind = \"grid\", points = 7, range = 4.5 }",
        "10\nother = 3",
        "",
        "ten",
        "[[10]]",
    ] {
        let problem = Layers::from_record(text).expect_err(text);
        assert!(!problem.contains('\n') && problem.len() < 300, "{text:?}: {problem}");
    }
    let long = format!("[{}]", ["10"; 2000].join(", "));
    assert!(Layers::from_record(&long).unwrap_err().contains("bytes long"));
}

#[test]
fn settings_change_a_layer_key_by_key() {
    const BINARY: &str = "model.latent={ kind = \"binary\", units = 6 }";
    const GRID: &str = "model.latent={ kind = \"grid\", dimensions = 1, points = 9, range = 2.5 }";
    let binary = |units| Layers::new(vec![Layer::Binary { units }]).unwrap();
    assert_eq!(latent(&["model.latent=12"]), Layers::one_hot(12));
    assert_eq!(latent(&[BINARY, "model.latent.units=8"]), binary(8));
    assert_eq!(latent(&[BINARY, "model.latent={units=8}"]), binary(8));
    assert_eq!(latent(&[BINARY, "model.latent=12"]), Layers::one_hot(12));
    // A number, or a list, becomes a table; in any order.
    for before in [&[][..], &["model.latent=7"], &["model.latent=[7, 8]"], &[GRID]] {
        for keys in [
            ["model.latent.kind=binary", "model.latent.units=8"],
            ["model.latent.units=8", "model.latent.kind=binary"],
        ] {
            assert_eq!(latent(&[before, &keys].concat()), binary(8), "{before:?}, {keys:?}");
        }
    }
    // A kind keeps what it has in common with the one before: of a grid, everything of a grid.
    assert_eq!(
        latent(&[GRID, "model.latent.kind=grid", "model.latent.points=5"]).to_string(),
        "{ kind = \"grid\", dimensions = 1, points = 5, range = 2.5 }"
    );
    // A table with a kind stands for itself: nothing stays of the one before.
    assert_eq!(
        latent(&[GRID, "model.latent={kind=\"grid\", points=3, range=1}"]).to_string(),
        "{ kind = \"grid\", dimensions = 2, points = 3, range = 1.0 }"
    );
    assert_eq!(latent(&[GRID, BINARY]), binary(6));
    // As in a section.
    assert_eq!(latent(&["model={latent={kind=\"binary\",units=8}}"]), binary(8));
}

#[test]
fn what_cannot_be_is_refused_in_one_sentence_that_says_what_to_write() {
    for (latent, expected) in [
        ("0", "model.latent is 0; it must be a whole number from 1 to 10000"),
        ("10001", "model.latent is 10001; it must be"),
        ("-3", "--set model.latent=-3: -3 is no number of latent states"),
        (
            "10.5",
            "expected a number of states, a table as { kind = \"binary\", units = 10 }, or a list of these",
        ),
        ("18446744073709551615", "expected a number of states"),
        ("many", "expected a number of states"),
        ("[]", "model.latent is []; it must be a list of one layer or more"),
        ("[[10]]", "a list within a list"),
        ("[10, [{ kind = \"binary\", units = 2 }]]", "a list within a list"),
        ("[10, \"ten\"]", "expected a number of states or a table"),
        (
            "[1, 2, 3, 4, 5, 6, 7, 8, 9]",
            "model.latent is a list of 9 layers; it must be one of at most 8",
        ),
        ("{}", "model.latent.kind is nothing; it must be \"binary\", \"groups\" or \"grid\""),
        (
            "{ units = 8 }",
            "model.latent.kind is nothing; it must be \"binary\", as units is given",
        ),
        (
            "{ kind = \"ring\", units = 8 }",
            "\"ring\" is no kind of latent layer; there are \"binary\", \"groups\" and \"grid\"",
        ),
        ("{ kind = \"one-hot\" }", "a one-hot layer is written as its number of states"),
        ("{ kind = 3 }", "invalid type: integer `3`"),
        (
            "{ kind = \"binary\" }",
            "model.latent.units is nothing; it must be a whole number, as kind is \"binary\"",
        ),
        (
            "{ kind = \"groups\" }",
            "model.latent.sizes is nothing; it must be a list of whole numbers",
        ),
        ("{ kind = \"grid\", range = 3 }", "model.latent.points is nothing"),
        (
            "{ kind = \"grid\", points = 3 }",
            "model.latent.range is nothing; it must be a number, as kind is \"grid\"",
        ),
        (
            "{ kind = \"binary\", unit = 8 }",
            "unknown key `model.latent.unit`; did you mean `model.latent.units`?",
        ),
        (
            "[10, { kind = \"grid\", point = 8 }]",
            "unknown key `model.latent.point`; did you mean `model.latent.points`?",
        ),
        (
            "{ kind = \"grid\", units = 8 }",
            "model.latent.units is 8; it must be left out, as kind is \"grid\"",
        ),
        (
            "[10, { kind = \"binary\", units = 8, sizes = [2] }]",
            "sizes of layer 2 of model.latent is [2]; it must be left out",
        ),
        (
            "[{ kind = \"binary\" }, 10]",
            "units of layer 1 of model.latent is nothing; it must be a whole number",
        ),
        (
            "{ kind = \"binary\", units = \"eight\" }",
            "invalid type: string \"eight\", expected a whole number",
        ),
        (
            "{ kind = \"binary\", units = 2.5 }",
            "invalid type: floating point `2.5`, expected a whole number",
        ),
        ("{ kind = \"binary\", units = -1 }", "expected a whole number"),
        ("{ kind = \"groups\", sizes = 16 }", "invalid type: integer `16`"),
        ("{ kind = \"binary\", units = 0 }", "it must be of one unit or more"),
        (
            "{ kind = \"binary\", units = 4097 }",
            "{ kind = \"binary\", units = 4097 }; it must be of at most 4096 units; 4097 are too many",
        ),
        ("{ kind = \"binary\", units = 9223372036854775807 }", "of at most 4096 units"),
        (
            "{ kind = \"groups\", sizes = [] }",
            "it must be of one group or more, each of two values or more",
        ),
        ("{ kind = \"groups\", sizes = [4, 1] }", "each of two values or more"),
        ("{ kind = \"groups\", sizes = [64, 65] }", "64 x 65 is 4160"),
        (
            "{ kind = \"groups\", sizes = [4294967296, 4294967296] }",
            "more than can be counted",
        ),
        (
            "{ kind = \"grid\", points = 1, range = 3 }",
            "of two points or more along each axis",
        ),
        ("{ kind = \"grid\", points = 65, range = 3 }", "65^2 is 4225"),
        (
            "{ kind = \"grid\", points = 9223372036854775807, range = 3 }",
            "more than can be counted",
        ),
        ("{ kind = \"grid\", dimensions = 3, points = 4, range = 3 }", "of 1 or 2 dimensions"),
        (
            "{ kind = \"grid\", dimensions = 9223372036854775807, points = 4, range = 3 }",
            "of 1 or 2 dimensions",
        ),
        ("{ kind = \"grid\", points = 4, range = 0 }", "of a range above 0 and up to 100"),
        ("{ kind = \"grid\", points = 4, range = nan }", "of a range above 0"),
        ("{ kind = \"grid\", points = 4, range = inf }", "of a range above 0"),
        (
            "[10, { kind = \"binary\", units = 13 }]",
            "layer 2 of model.latent is { kind = \"binary\", units = 13 }; it must be of at most 4096",
        ),
        ("[0, 10]", "layer 1 of model.latent is 0; it must be a whole number from 1 to 10000"),
    ] {
        let setting = format!("model.latent={latent}");
        let error = refusal(&[&setting]);
        assert!(error.contains(expected), "{setting}: {error:?} should contain {expected:?}");
        assert!(error.contains("model.latent") && !error.contains('\n'), "{setting}: {error:?}");
        for rust in ["usize", "enum", "variant", "struct", "untagged", "WrittenT"] {
            assert!(!error.contains(rust), "{setting}: {error:?}");
        }
    }
    for (settings, expected) in [
        (
            &["model.latent.unit=8"][..],
            "unknown key `model.latent.unit`; did you mean `model.latent.units`?",
        ),
        (
            &["model.latent.units=8"],
            "model.latent.kind is nothing; it must be \"binary\", as units is given",
        ),
        (&["model.latent.kind=binary"], "model.latent.units is nothing"),
        (&["model.latent.units.more=8"], "unknown key `model.latent.units.more`"),
        (&["model.latent.units=eight"], "--set model.latent.units=eight: invalid type"),
        // What the new kind has no use for is gone, and what it needs is asked for.
        (
            &["model.latent={ kind = \"binary\", units = 6 }", "model.latent.kind=groups"],
            "model.latent.sizes is nothing; it must be a list of whole numbers, as kind is \"groups\"",
        ),
        (&["model.latnt=8"], "did you mean `model.latent`?"),
    ] {
        let error = refusal(settings);
        assert!(error.contains(expected), "{settings:?}: {error:?} should contain {expected:?}");
    }
}

#[test]
fn an_error_in_a_file_names_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    for (text, expected) in [
        (
            "[model]\n\n[model.latent]\nkind = \"binary\"\nunits = \"x\"\n",
            "line 5: invalid type",
        ),
        ("[model]\nlatent = { kind = \"ring\" }\n", "line 2: \"ring\" is no kind"),
        ("[model]\n\nlatent = [10, [3]]\n", "line 3: a list within a list"),
        ("[model]\nlatent = -1\n", "line 2: -1 is no number"),
        (
            "[[model.latent]]\nkind = \"binary\"\nunit = 3\n",
            "did you mean `model.latent.units`",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = Config::load(Some(&path), &[]).unwrap_err().to_string();
        assert!(error.contains("mine.toml") && error.contains(expected), "{error}");
    }
}

#[test]
fn starts_of_other_layers_are_refused() {
    const BINARY: &str = "model.latent={ kind = \"binary\", units = 3 }";
    const DEEPER: &str = "model.latent=[4, { kind = \"binary\", units = 3 }]";
    const ONE_HOT: &str = "model.latent=3";
    for (settings, expected) in [
        (
            &[BINARY, "model.init=cyclic"][..],
            "model.init is cyclic; it must be \"random\", \"reversible\" or \"record\", as model.latent is not a number of states",
        ),
        (&[BINARY, "model.init=images"], "model.init is images; it must be"),
        (
            &[BINARY, "model.init=images", "model.kind=rbm"],
            "model.init is images; it must be \"random\" or \"record\", as",
        ),
        (
            &[DEEPER, "model.init=reversible"],
            "model.init is reversible; it must be \"random\" or \"record\", as model.latent is a list of layers",
        ),
        (&["model.latent=[4, 3]", "model.init=cyclic"], "model.init is cyclic"),
    ] {
        assert_eq!(refusal(settings).split(expected).count(), 2, "{settings:?}: {}", refusal(settings));
    }
    for accepted in [
        &[BINARY, "model.init=reversible"][..],
        &[BINARY, "training.sampling=stratified"],
        &[BINARY, "training.gradient=complete"],
        &[BINARY, "training.entropy_weight=0.1"],
        &[DEEPER],
        &[DEEPER, "training.sampling=stale"],
        &[DEEPER, "training.sampling=stratified"],
        &[DEEPER, "training.gradient=complete"],
        &[DEEPER, "training.entropy_weight=0.1"],
        &[DEEPER, "training.path_entropy_weight=0.1"],
        &[ONE_HOT, "model.init=cyclic"],
        &["model.latent=[3]", "model.init=images"],
    ] {
        configured(accepted);
    }
}

/// Arrays have H columns or L.
#[test]
fn arrays_are_counted_by_their_own_sizes() {
    let error = |latent: &str, chains: usize, device: u64| {
        let settings = [
            &format!("model.latent={latent}"),
            &format!("training.chains={chains}"),
            "evaluation.samples=1",
        ];
        let checked = configured(&settings).check_against(1000, 784, device);
        checked.err().map_or(String::new(), |error| error.to_string())
    };
    // 4,096 states of 12 bits: s(A~) is [4096, 784], p(k|x) [500, 4096], T [4096, 4096].
    let binary = "{ kind = \"binary\", units = 12 }";
    assert_eq!(error(binary, 500, 4 * 4096 * 4096), "");
    assert!(error(binary, 500, 4 * 4096 * 4096 - 4).contains("an array of 4096 x 4096 numbers"));
    assert!(
        error(binary, 65_536, 4 * 65_536 * 784).contains("training.chains is 65536; it must be at most 12544, or an array of 65536 x 4096")
    );
    // In a deeper chain the first layer has the columns of W, and the widest layer those of p(k|x).
    assert_eq!(error("[2000, { kind = \"binary\", units = 2 }]", 500, 4 * 2000 * 784), "");
    assert!(error("[2000, { kind = \"binary\", units = 2 }]", 500, 4 * 2000 * 784 - 4).contains(
        "model.latent is [2000, { kind = \"binary\", units = 2 }]; it must be of layers of at most 1999, or an array of 2000 x 784"
    ));
    assert!(
        error("[5000, 10]", 1000, 4 * 5000 * 784).contains("training.chains is 1000; it must be at most 784, or an array of 1000 x 5000"),
        "ten states, drawn through 5,000"
    );
    assert!(error("[3000, 3000]", 10, 4 * 3000 * 2999).contains("an array of 3000 x 3000"));
}
