//! Partitions of the states with names: by the classes of their images, or as a file says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::Array1;

use super::ClassShares;
use crate::data::formats::npy;
use crate::files::{FileError, read_at_most};
use crate::latent::lumped::Partition;
use crate::text::{printable, shortened};

/// The most macrostates: each pair of them has figures of its own.
pub const MOST_MACROSTATES: usize = 32;
/// The longest file of labels, in bytes.
const LONGEST: u64 = 1 << 20;
/// The longest label, in characters.
const LONGEST_LABEL: usize = 40;

/// Macrostates with names.
pub struct NamedPartition {
    /// Which state belongs to which.
    pub partition: Partition,
    /// Their names.
    pub labels: Vec<String>,
    /// What it was made by, in words.
    pub source: String,
    /// Of a partition by classes, the share of each state's images that are of the class it was given, `[L]`.
    pub agreement: Option<Array1<f64>>,
}

/// Why a file gives no partition.
#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another number of labels.
    #[error("{path}: has {found} labels, and the model {latent} latent states; give one label for each state, in their order")]
    Length {
        /// The file.
        path: PathBuf,
        /// Its labels.
        found: usize,
        /// L.
        latent: usize,
    },
    /// A line that says nothing.
    #[error("{path}, line {line}: is empty; give one label a line")]
    Empty {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// A label that no table has room for.
    #[error("{path}, line {line}: the label {label:?} is longer than {LONGEST_LABEL} characters; shorten it")]
    Label {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Its beginning and end.
        label: String,
    },
    /// Neither text nor an array.
    #[error("{path}: is not text in UTF-8; give one label a line, or a .npy file with one integer for each state")]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// An array of another kind.
    #[error("{path}: is not a .npy file with one integer for each state: {why}")]
    Array {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// Too few or too many.
    #[error("{path}: has {0} different labels; give 2 to {MOST_MACROSTATES}", path = .1.display())]
    Count(usize, PathBuf),
}

impl NamedPartition {
    /// By the class of most of the images drawn from each state (of equals, the first), among those classes that some state draws most.
    pub(super) fn of_classes(classes: &ClassShares) -> Self {
        let most = |shares: ndarray::ArrayView1<f64>| {
            (1..shares.len()).fold(0, |most, class| if shares[class] > shares[most] { class } else { most })
        };
        let chosen: Vec<usize> = classes.states.rows().into_iter().map(most).collect();
        let of_state = chosen.iter().enumerate();
        let agreement = of_state.map(|(state, &class)| classes.states[[state, class]]).collect();
        let mut used = chosen.clone();
        used.sort_unstable();
        used.dedup();
        let labels = used.iter().map(|&class| classes.labels[class].to_string()).collect();
        Self {
            agreement: Some(agreement),
            ..Self::numbered(
                chosen,
                &used,
                labels,
                "the class of most images drawn from each state, as the judge sees them".to_owned(),
            )
        }
    }

    /// From a file: a label a line, in the order of the states; or, where its name ends in .npy, an array of integers `[L]`. Macrostates stand in the
    /// order of their labels, numbers by their size.
    ///
    /// # Errors
    /// When it cannot be read, or does not name one of 2 to [`MOST_MACROSTATES`] macrostates for each of the states.
    pub fn read(path: &Path, latent: usize) -> Result<Self, PartitionError> {
        let content = read_at_most(path, LONGEST)?;
        let labels = if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy")) {
            let of_array = |why| PartitionError::Array {
                path: path.to_owned(),
                why,
            };
            npy::integers(&content[..]).map_err(of_array)?.iter().map(i128::to_string).collect()
        } else {
            lines(path, content)?
        };
        if labels.len() != latent {
            return Err(PartitionError::Length {
                path: path.to_owned(),
                found: labels.len(),
                latent,
            });
        }
        let number = |label: &String| label.parse::<i128>().ok();
        let all_numbers = labels.iter().all(|label| number(label).is_some());
        let mut order = labels.clone();
        order.sort_by_key(|label| (if all_numbers { number(label) } else { None }, label.clone()));
        order.dedup();
        if !(2..=MOST_MACROSTATES).contains(&order.len()) {
            return Err(PartitionError::Count(order.len(), path.to_owned()));
        }
        let source = format!(
            "the labels in {}",
            printable(&path.file_name().unwrap_or_default().to_string_lossy())
        );
        Ok(Self::numbered(labels, &order, order.clone(), source))
    }

    /// Items by their place in a list that has each of them.
    fn numbered<T: Ord>(of_states: Vec<T>, order: &[T], labels: Vec<String>, source: String) -> Self {
        let places: BTreeMap<&T, usize> = order.iter().enumerate().map(|(place, item)| (item, place)).collect();
        let of = of_states.iter().map(|item| places[item]).collect();
        Self {
            partition: Partition::new(of).expect("each place is taken"),
            labels,
            source,
            agreement: None,
        }
    }
}

fn lines(path: &Path, content: Vec<u8>) -> Result<Vec<String>, PartitionError> {
    let text = String::from_utf8(content).map_err(|_| PartitionError::NotText { path: path.to_owned() })?;
    let label = |(index, line): (usize, &str)| {
        let (line, label) = (index + 1, printable(line.trim()));
        let path = path.to_owned();
        if label.is_empty() {
            Err(PartitionError::Empty { path, line })
        } else if label.chars().count() > LONGEST_LABEL {
            let label = shortened(&label);
            Err(PartitionError::Label { path, line, label })
        } else {
            Ok(label)
        }
    };
    text.trim_start_matches('\u{feff}')
        .trim_end()
        .lines()
        .enumerate()
        .map(label)
        .collect()
}
