//! What records hold of a recognition distribution, checked as [`super::written`] checks a model.

use super::SampledState;
use super::fields::Fields;
use super::written::{self, Written, item, parameter};
use crate::model::Parameters;
use crate::model::recognition::RecognitionParameters;

/// R and c of D pixels and H units, in the bytes of a record of their own.
///
/// # Errors
/// In words, with the field that is wrong.
pub fn read(content: &[u8], shape: [usize; 2]) -> Result<RecognitionParameters, String> {
    recognition(item(content)?, shape)
}

/// What a checkpoint of a model whose posterior is sampled has besides.
pub fn sampled(mut fields: Fields, model: &Parameters) -> Result<SampledState, String> {
    let Some(units) = model.layers.binary_units() else {
        return Err(format!(
            "the field `{}` is that of a layer of binary units, and its model has {}",
            fields.path,
            model.layers.describe()
        ));
    };
    let shape = [model.visible(), units];
    let recognition = recognition(fields.take_map("recognition")?, shape)?;
    let recognition_mean_squares = self::recognition(fields.take_map("recognition_mean_squares")?, shape)?;
    if let Some(negative) = recognition_mean_squares.numbers().find(|&&square| square < 0.0) {
        return Err(format!("its mean squares are not all 0 or more: one is {negative}"));
    }
    let means = fields.take_optional_map("means")?.map(written::model).transpose()?;
    let recognition_means = fields.take_optional_map("recognition_means")?;
    let recognition_means = recognition_means.map(|means| self::recognition(means, shape)).transpose()?;
    let means = match (means, recognition_means) {
        (None, None) => None,
        (Some(means), Some(_)) if means.visible() != model.visible() || means.layers != model.layers || means.log_weights.is_some() => {
            return Err("its means are not of the shape of its model".to_owned());
        }
        (Some(means), Some(recognition)) => Some((means, recognition)),
        _ => return Err(format!("the field `{}` has means of one part and not of the other", fields.path)),
    };
    fields.end()?;
    Ok(SampledState {
        recognition,
        recognition_mean_squares,
        means,
    })
}

/// R and c, or what lies beside each, of D pixels and H units.
fn recognition(mut fields: Fields, shape: [usize; 2]) -> Result<RecognitionParameters, String> {
    let path = fields.path.clone();
    let matrix: Written<2> = parameter(fields.take_map("matrix")?)?;
    let bias: Written<1> = parameter(fields.take_map("bias")?)?;
    fields.end()?;
    if matrix.shape != shape || bias.shape != [shape[1]] {
        return Err(format!(
            "the shapes {:?} and {:?} of the field `{path}` are not those of {} pixels and {} units",
            matrix.shape, bias.shape, shape[0], shape[1]
        ));
    }
    Ok(RecognitionParameters {
        matrix: matrix.matrix()?,
        bias: bias.vector()?,
    })
}
