//! The files of an analysis of units but for the page: analysis.json, latent.npz.

use std::io::Cursor;

use ndarray::{Array1, Array3};
use ndarray_npy::{NpzWriter, WriteNpzError};

use super::UnitAnalysis;

/// analysis.json.
///
/// # Errors
/// When serialization fails, which it cannot for these types.
pub fn json(analysis: &UnitAnalysis) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(analysis)?;
    text.push(b'\n');
    Ok(text)
}

/// latent.npz, for numpy.
///
/// | array | shape | |
/// |---|---|---|
/// | `on`, `flip_rate` | H | how often each unit is on, and changes |
/// | `path_entropy_production` | H | what each unit carries of it, nats per step |
/// | `class_fluxes`, `class_currents`, `class_currents_error` | C, C | between the classes of successive images, per step |
/// | `generated`, `mean_images` | N, rows, columns | images of chains, and `E[x\|h]` of the words that they were drawn from |
///
/// # Errors
/// When the archive cannot be made.
pub fn npz(analysis: &UnitAnalysis, (rows, columns): (usize, usize)) -> Result<Vec<u8>, WriteNpzError> {
    let mut bytes = Cursor::new(Vec::new());
    let mut archive = NpzWriter::new(&mut bytes);
    let of_units = |of: &dyn Fn(&super::UnitFigures) -> f64| analysis.unit_figures.iter().map(of).collect::<Array1<f64>>();
    archive.add_array("on", &of_units(&|unit| unit.on))?;
    archive.add_array("flip_rate", &of_units(&|unit| unit.flip_rate))?;
    let produced = of_units(&|unit| unit.path_entropy_production.value.unwrap_or(f64::NAN));
    archive.add_array("path_entropy_production", &produced)?;
    if let Some(classes) = &analysis.classes {
        archive.add_array("class_fluxes", &classes.fluxes)?;
        archive.add_array("class_currents", &classes.currents)?;
        archive.add_array("class_currents_error", &classes.currents_error)?;
    }
    let shape = (analysis.generated.nrows(), rows, columns);
    let generated: Array3<u8> = Array3::from_shape_fn(shape, |(n, y, x)| analysis.generated[[n, y * columns + x]]);
    archive.add_array("generated", &generated)?;
    let means = Array3::from_shape_fn(shape, |(n, y, x)| analysis.mean_images[[n, y * columns + x]]);
    archive.add_array("mean_images", &means)?;
    archive.finish()?;
    Ok(bytes.into_inner())
}
