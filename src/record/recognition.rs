//! What records hold of a recognition distribution, checked as [`super::written`] checks a model.

use super::SampledState;
use super::fields::Fields;
use super::written::{self, Written, item, parameter};
use crate::model::Parameters;
use crate::model::recognition::RecognitionParameters;
use crate::model::tanh::TanhParameters;

/// Those that go with a model of one layer of binary units, in the bytes of a record of their own.
///
/// # Errors
/// In words, with the field that is wrong.
pub fn read(content: &[u8], model: &Parameters) -> Result<RecognitionParameters, String> {
    recognition(item(content)?, model)
}

/// What a checkpoint of a model whose posterior is sampled has besides.
pub fn sampled(mut fields: Fields, model: &Parameters) -> Result<SampledState, String> {
    if model.layers.binary_units().is_none() {
        return Err(format!(
            "the field `{}` is that of a layer of binary units, and its model has {}",
            fields.path,
            model.layers.describe()
        ));
    }
    let recognition = recognition(fields.take_map("recognition")?, model)?;
    let recognition_mean_squares = self::recognition(fields.take_map("recognition_mean_squares")?, model)?;
    if let Some(negative) = recognition_mean_squares.numbers().find(|&&square| square < 0.0) {
        return Err(format!("its mean squares are not all 0 or more: one is {negative}"));
    }
    let means = fields.take_optional_map("means")?.map(written::model).transpose()?;
    let recognition_means = fields.take_optional_map("recognition_means")?;
    let recognition_means = recognition_means.map(|means| self::recognition(means, model)).transpose()?;
    let means = match (means, recognition_means) {
        (None, None) => None,
        (Some(means), Some(_)) if !is_of_shape(&means, model) || means.log_weights.is_some() => {
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

/// Has one model the layers, the pixels and the tanh units of another?
pub fn is_of_shape(other: &Parameters, model: &Parameters) -> bool {
    other.visible() == model.visible() && other.layers == model.layers && other.tanh_units() == model.tanh_units()
}

/// R, c and tanh units, or what lies beside each, for a model.
fn recognition(mut fields: Fields, model: &Parameters) -> Result<RecognitionParameters, String> {
    let path = fields.path.clone();
    let matrix: Written<2> = parameter(fields.take_map("matrix")?)?;
    let bias: Written<1> = parameter(fields.take_map("bias")?)?;
    let tanh = tanh(&mut fields)?;
    fields.end()?;
    let (visible, units) = model.forward.dim();
    if matrix.shape != [visible, units] || bias.shape != [units] {
        return Err(format!(
            "the shapes {:?} and {:?} of the field `{path}` are not those of {visible} pixels and {units} units",
            matrix.shape, bias.shape
        ));
    }
    let found = RecognitionParameters {
        matrix: matrix.matrix()?,
        bias: bias.vector()?,
        tanh,
    };
    let count = |tanh: &Option<TanhParameters>| tanh.as_ref().map_or(0, TanhParameters::count);
    if count(&found.tanh) != model.tanh_units() || found.tanh.as_ref().is_some_and(|tanh| !fits(tanh, model)) {
        return Err(format!("the tanh units of the field `{path}` are not those of its model"));
    }
    Ok(found)
}

/// Are these tanh units of a model's pixels and units?
pub fn fits(tanh: &TanhParameters, model: &Parameters) -> bool {
    let (visible, units) = model.forward.dim();
    tanh.inward.dim() == (visible, tanh.count()) && tanh.outward.dim() == (tanh.count(), units) && tanh.count() > 0
}

/// U, d and G, where they are written.
pub fn tanh(fields: &mut Fields) -> Result<Option<TanhParameters>, String> {
    if !fields.has("tanh") {
        return Ok(None);
    }
    let Some(mut tanh) = fields.take_optional_map("tanh")? else {
        return Ok(None);
    };
    let inward: Written<2> = parameter(tanh.take_map("inward")?)?;
    let bias: Written<1> = parameter(tanh.take_map("bias")?)?;
    let outward: Written<2> = parameter(tanh.take_map("outward")?)?;
    let path = tanh.path.clone();
    tanh.end()?;
    if bias.shape != [inward.shape[1]] || outward.shape[0] != inward.shape[1] {
        return Err(format!(
            "the shapes {:?}, {:?} and {:?} of the field `{path}` do not fit together",
            inward.shape, bias.shape, outward.shape
        ));
    }
    Ok(Some(TanhParameters {
        inward: inward.matrix()?,
        bias: bias.vector()?,
        outward: outward.matrix()?,
    }))
}
